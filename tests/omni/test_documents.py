"""The documents say what the code says."""

import importlib
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from actions import library
from connections.envelope import KINDS
from connections.library import adapters
from events.models import Event
from registry.engine.run import steps
from registry.language import grammar
from registry.models import Binding, Workflow
from registry.versions import drafts
from registry.versions.seed import PLAYBOOKS, load_playbooks
from tests.omni import documents

ROOT = documents.ROOT
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
PLAYBOOK_FILES = sorted(PLAYBOOKS.glob("*.yaml"))
APPS = ("omni", "connections", "events", "actions", "registry", "catalog")
COMMANDS = sorted(name for name, app in get_commands().items() if app in APPS)
_DOTTED = re.compile(r"`([a-z_]+(?:\.[A-Za-z_<>]+)+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _names_in_the_table() -> list[str]:
    text = documents.section((ROOT / "README.md").read_text(), "The way of an event")
    written = [name for line in text.splitlines() if line.startswith("|")
               for name in _DOTTED.findall(line)]
    return sorted({name.replace("<name>", provider) for name in written
                   for provider in (adapters() if "<name>" in name else [""])})


def _resolve(name: str) -> object:
    """What a dotted name stands for. Raises ImportError or AttributeError when nothing does."""
    module, rest = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            if not module:
                raise
            rest.insert(0, last)
    for part in rest:
        found = getattr(found, part)
    return found


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCED.sub("", page.read_text())
    titles = [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_table_of_the_way_names_every_hop():
    text = documents.section((ROOT / "README.md").read_text(), "The way of an event")

    numbers = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)

    assert numbers == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("name", _names_in_the_table())
def test_a_name_in_the_table_of_the_way_is_there(name):
    assert _resolve(name) is not None


def test_the_page_of_actions_lists_the_library():
    page = documents.rows_of((DOCS / "actions.md").read_text().split("## Outcomes")[0])

    assert page == [documents.action_row(action) for action in library.actions().values()]


@pytest.mark.parametrize("action", library.actions().values(), ids=lambda action: action.id)
def test_the_page_of_actions_lists_the_parameters(action):
    text = documents.section((DOCS / "actions.md").read_text(), action.id)

    assert documents.rows_of(text) == documents.parameter_rows(action)
    assert {name for name in action.secret if f"`{name}`" not in text} == set()


def test_every_kind_stands_in_the_event_model():
    text = documents.section((DOCS / "event-model.md").read_text(), "Kinds")

    assert {kind for kind in KINDS if f"`{kind}`" not in text} == set()


def test_the_event_model_lists_the_columns_in_order():
    text = documents.section((DOCS / "event-model.md").read_text(), "Columns of `omni_events`")

    listed = [row.split("`")[1] for row in documents.rows_of(text)]

    assert listed == [field.attname for field in Event._meta.concrete_fields]


@pytest.mark.parametrize("name", adapters())
def test_every_provider_has_a_page(name):
    assert (DOCS / "providers" / f"{name}.md").is_file()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_on_the_page_of_operations(name):
    text = documents.section((DOCS / "operations.md").read_text(), "Commands")

    assert f"- `manage.py {name}" in text


def test_what_is_said_not_to_be_built_is_not_there():
    text = documents.section((DOCS / "decisions.md").read_text(), "Not built yet")
    promised = set(re.findall(r"`([a-z_]+)`", text.rpartition("- Providers other")[0]))

    assert promised & {*COMMANDS, *steps.kinds(), *steps.GATES, *adapters()} == set()


@pytest.mark.parametrize("kind", grammar.STEP_KINDS)
def test_the_page_of_the_language_tells_which_steps_run(kind):
    told = documents.section((DOCS / "workflows.md").read_text(), "Steps")

    assert f"`{kind}`" in told and kind in steps.kinds()


@pytest.mark.parametrize("path", PLAYBOOK_FILES, ids=lambda path: path.stem)
def test_a_playbook_has_no_errors_and_its_name(path):
    text = path.read_text()

    errors = [problem for problem in drafts.problems(text) if problem.severity == "error"]

    assert errors == []
    assert f"\nid: {path.stem}\n" in text


@pytest.mark.parametrize("path", PLAYBOOK_FILES, ids=lambda path: path.stem)
def test_a_playbook_stands_on_its_page(path):
    assert f"`{path.stem}`" in (DOCS / "playbooks.md").read_text()


@pytest.mark.django_db
def test_the_page_of_playbooks_tells_which_are_switched_on():
    load_playbooks()

    page = (DOCS / "playbooks.md").read_text()
    names = {path.stem for path in PLAYBOOK_FILES}
    assert {row.slug for row in Workflow.objects.all() if row.latest()} == names
    on = set(Binding.objects.filter(scope="global").values_list("workflow__slug", flat=True))
    for title, listed in (("Switched on", on), ("To be switched on", names - on)):
        rows = documents.rows_of(documents.section(page, title))
        assert sorted(row.split("`")[1] for row in rows) == sorted(listed)


def test_the_example_of_the_language_has_no_errors():
    text = (DOCS / "workflows.md").read_text().split("```yaml\n")[1].split("```")[0]

    assert [str(problem) for problem in drafts.problems(text)
            if problem.severity == "error"] == []


def test_the_readme_leads_to_every_page():
    text = documents.section((ROOT / "README.md").read_text(), "Read on")

    links = set(_LINK.findall(text))
    assert {str(page.relative_to(ROOT)) for page in DOCS.rglob("*.md")} - links == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    text = _FENCED.sub("", page.read_text())
    broken = []
    for link in _LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []
