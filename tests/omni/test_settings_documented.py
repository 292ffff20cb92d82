"""docs/operations.md lists each setting, and each setting it lists is there."""

import re

from tests.omni import documents

_READ = re.compile(r"""env(?:\.\w+)?\(\s*["']([A-Z_]+)["']""")
_FROM_SYSTEM = re.compile(r"""environ(?:\.get)?[\[(]\s*["'](DATABASE_URL|OMNI_[A-Z_]+)["']""")
SETTINGS = (documents.ROOT / "omni" / "settings.py").read_text()
PAGE = (documents.ROOT / "docs" / "operations.md").read_text()
TABLE = documents.section(PAGE, "Settings")


def _read() -> set[str]:
    return set(_READ.findall(SETTINGS)) | set(_FROM_SYSTEM.findall(SETTINGS))


def _listed() -> list[str]:
    return [row.split("`")[1] for row in documents.rows_of(TABLE)]


def test_settings_are_found_in_the_file():
    assert {"DATABASE_URL", "OMNI_DATA_DIR", "OMNI_ENCRYPTION_KEYS", "OMNI_LOG_LEVEL"} <= _read()


def test_every_setting_of_the_file_stands_on_the_page():
    assert _read() - set(_listed()) == set()


def test_every_setting_on_the_page_is_read_by_the_file():
    assert set(_listed()) - _read() == set()


def test_no_setting_is_listed_twice():
    assert len(_listed()) == len(set(_listed()))


def test_a_setting_that_is_nowhere_used_says_so():
    unused = set()
    modules = [path.read_text() for app in ("omni", "connections", "events", "actions", "registry",
                                            "catalog")
               for path in (documents.ROOT / app).rglob("*.py") if path.name != "settings.py"]
    own = SETTINGS.split("# --- Django")[0]
    for name in re.findall(r"^(OMNI_[A-Z_]+) =", own, re.MULTILINE):
        used = SETTINGS.count(name) > 2 or any(name in text for text in modules)
        row = next(line for line in documents.rows_of(TABLE) if f"`{name}`" in line)
        if used == ("not read yet" in row):
            unused.add(name)

    assert unused == set()


def test_variables_read_elsewhere_stand_on_the_page():
    elsewhere = {
        name for path in (documents.ROOT / "omni").rglob("*.py") if path.name != "settings.py"
        for name in _FROM_SYSTEM.findall(path.read_text())}

    assert {name for name in elsewhere if f"`{name}`" not in PAGE} == set()
