"""The worked examples are what the playbooks of the same name do, and those pass their tests."""

from pathlib import Path

import pytest

from omni.yaml import profile
from registry.models import Workflow
from registry.trials import workflow_tests
from registry.versions import publishing
from registry.versions.seed import PLAYBOOKS

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
FILES = sorted(PLAYBOOKS.glob("*.yaml"))
FOR_PEOPLE = ("name", "description", "tests")


def _playbook(example):
    return (PLAYBOOKS / example.name).read_text()


def _without_words(text):
    return {key: value for key, value in profile.load(text).data.items() if key not in FOR_PEOPLE}




@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_playbook_does_what_its_example_does(example):
    assert _without_words(_playbook(example)) == _without_words(example.read_text())


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_imported_as_it_stands_and_then_with_its_tests(example):
    publishing.import_text(example.read_text(), actor="test")
    publishing.import_text(_playbook(example), actor="test")

    workflow = Workflow.objects.get(slug=example.stem)
    assert publishing.export_text(workflow, number=1) == example.read_text()
    assert workflow.latest().number == 2


@pytest.mark.django_db
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_playbook_passes_its_tests(path):
    results = workflow_tests.run_tests(path.read_text())

    assert [str(item) for result in results for item in result.failures] == []
    assert 2 <= len(results) <= 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_playbook_has_a_test_of_what_is_not_its_business(path):
    document = profile.load(path.read_text()).data

    by_event = any("event" in trigger for trigger in document["trigger"])
    said_no = [test for test in document["tests"] if test["expect"].get("matched") is False]
    assert bool(said_no) == by_event


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_playbook_says_for_people_what_it_is(path):
    text = path.read_text()
    document = profile.load(text).data

    assert text.startswith("# ") and document["name"] and document["description"]
