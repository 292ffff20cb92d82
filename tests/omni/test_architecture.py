"""The drawings of docs/architecture.md show the imports there are."""

import ast
import re
import tomllib

import pytest

from tests.omni.documents import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
APPS = ("omni", "connections", "events", "actions", "registry", "catalog")
MOST = 20  # modules in one folder; libraries found on disk, tests and migrations may have more
LIBRARIES = {"migrations", "functions", "steps"}  # found on disk, one thing a file


def drawn(app):
    """Arrows between the rooms of an app, as (from, to)."""
    arrows = re.findall(rf"({app}\.\w+) --> ({app}\.\w+)", PAGE)
    assert arrows
    return set(arrows)


def modules():
    """Module -> its tree, of every app."""
    found = {}
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imported(app):
    """The same arrows as the imports have them."""
    known, arrows = modules(), set()
    rooms = {name.split(".")[1] for name in known if name.count(".") > 1
             and name.startswith(f"{app}.")} - {"management", "migrations", "models", "blocks"}

    def room_of(name):
        parts = name.split(".")
        return ".".join(parts[:2]) if parts[0] == app and parts[1:2] and parts[1] in rooms else ""

    for name, tree in known.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    arrows.add((room_of(name), room_of(f"{node.module}.{alias.name}")))
    return {(one, other) for one, other in arrows if one and other and one != other}


def led_to(arrows, start):
    """Every room that arrows lead to from one."""
    found, ahead = set(), {start}
    while ahead:
        ahead = {other for one, other in arrows if one in ahead} - found
        found |= ahead
    return found


@pytest.mark.parametrize("app", ["actions", "connections", "events", "registry"])
def test_drawing_shows_the_imports_between_rooms(app):
    arrows, there = drawn(app), imported(app)

    assert arrows <= there
    assert {(one, other) for one, other in there if other not in led_to(arrows, one)} == set()
    assert [one for one, _ in arrows if one in led_to(arrows, one)] == []


def test_every_module_of_omni_stands_above_or_below_the_apps():
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [rule["layers"] for rule in rules["contracts"]
                if rule["name"] == "Imports go downwards only"]
    there = {".".join(name.split(".")[:2]) for name in modules() if name.startswith("omni.")}

    placed = re.findall(r"omni\.\w+", " ".join(layers))

    assert sorted(placed) == sorted(there - {"omni.migrations"})


def named():
    """Every file and folder the page names. In a table a bare name is beside the last whole one."""
    found = set()
    for line in PAGE.splitlines():
        folder = None
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", line):
            if "/" in name.rstrip("/"):
                found.add(name)
                folder = name if name.endswith("/") else name.rpartition("/")[0] + "/"
            elif line.startswith("|"):
                found.add(f"{folder}{name}")
    return found


def test_files_the_page_names_are_there():
    assert {"events/door/quotas.py", "registry/expressions/functions/"} <= named()
    assert {name for name in named() if not (ROOT / name).exists()} == set()


def test_no_folder_is_a_list():
    """What is found on disk may be long, and so may what one provider says."""
    folders = {path.parent.relative_to(ROOT) for app in APPS for path in (ROOT / app).rglob("*.py")}
    sizes = {str(folder): len(list((ROOT / folder).glob("[!_]*.py"))) for folder in folders
             if not LIBRARIES & set(folder.parts) and folder.parent.name != "providers"}

    assert {folder: size for folder, size in sizes.items() if size > MOST} == {}
