"""The tree keeps its promises: where files are, how long they are, and what they are named."""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("omni", "connections", "events", "actions", "registry", "catalog")
TOP = {*APPS, "manage.py", "templates", "tests", "docs", "requirements.txt",
       "requirements-dev.txt", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".ci",
       ".gitignore"}
VAGUE = {"utils", "util", "helpers", "helper", "services", "service", "managers", "common",
         "misc"}
MODEL_SIGNALS = {"pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed", "pre_init",
                 "post_init", "receiver"}
LONGEST = 300  # lines
SKIPPED = {"node_modules", "__pycache__"}


def _is_ignored(name: str) -> bool:
    """What is made here and never kept: environments, caches, data."""
    patterns = (ROOT / ".gitignore").read_text().split()
    path = Path(name)
    return name == ".git" or any(
        path.match(pattern.strip("/")) for pattern in patterns if pattern.strip("/"))


def _python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))
            if not SKIPPED.intersection(path.parts)]


def _first_words(tree: ast.Module, text: str) -> str:
    comment = text.splitlines()[0] if text.startswith("#") else ""
    return ast.get_docstring(tree) or comment


def _names_of(path: Path) -> set[str]:
    """Every name an import of this file brings in, with the modules it comes from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_the_root_holds_only_agreed_names():
    found = {path.name for path in ROOT.iterdir() if not _is_ignored(path.name)}

    assert found - TOP == set()


def test_nothing_agreed_is_missing_from_the_root():
    assert {name for name in TOP if not (ROOT / name).exists()} == set()


def test_a_long_file_says_first_what_it_is_for():
    silent = []
    for path in _python_files(*APPS, "tests"):
        text = path.read_text()
        if text.count("\n") > LONGEST and "migrations" not in path.parts \
                and not _first_words(ast.parse(text), text):
            silent.append(str(path.relative_to(ROOT)))

    assert silent == []


def test_every_module_with_code_begins_with_a_docstring():
    silent = [str(path.relative_to(ROOT)) for path in _python_files(*APPS)
              if "migrations" not in path.parts and path.name != "apps.py"
              and path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_no_module_has_a_vague_name():
    vague = [str(path.relative_to(ROOT)) for path in _python_files(*APPS, "tests")
             if path.stem in VAGUE or path.parent.name in VAGUE]

    assert vague == []


def test_no_app_listens_to_signals_of_models():
    listening = {
        str(path.relative_to(ROOT)): names for path in _python_files(*APPS)
        if (names := {name for name in _names_of(path) if name.rpartition(".")[2] in MODEL_SIGNALS
                      and name.startswith(("django.db.models.signals", "django.dispatch"))})}

    assert listening == {}


def test_every_module_of_every_app_can_be_imported():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
               for path in _python_files(*APPS)]
    script = ("import importlib, sys, django; django.setup(); "
              "[importlib.import_module(name) for name in sys.argv[1:]]")

    done = subprocess.run(
        [sys.executable, "-c", script, *modules], cwd=ROOT, text=True, capture_output=True,
        timeout=120, env={**os.environ, "DJANGO_SETTINGS_MODULE": "omni.settings"})

    assert done.returncode == 0, done.stderr
