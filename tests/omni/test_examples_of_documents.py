"""The whole workflows shown in the documents have no errors and pass their tests."""

import re

import pytest

from omni.yaml import profile
from registry.trials import workflow_tests
from registry.versions import drafts
from registry.versions.seed import PLAYBOOKS
from tests.omni import documents

PAGES = ("tutorial.md", "recipes.md", "workflows.md", "testing-workflows.md")
_BLOCK = re.compile(r"^```yaml\n(omni: 1.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [pytest.param(text, id=f"{page}-{number}") for page in PAGES
          for number, text in enumerate(_BLOCK.findall(
              (documents.ROOT / "docs" / page).read_text()), start=1)]
SHOWN = [pytest.param(text, id=name) for text in _BLOCK.findall(
             (documents.ROOT / "docs" / "recipes.md").read_text())
         for name in [profile.load(text).data["id"]] if (PLAYBOOKS / f"{name}.yaml").is_file()]


def test_recipes_and_tutorial_show_workflows():
    shown = [param.id.partition("-")[0] for param in BLOCKS]

    assert (shown.count("recipes.md"), shown.count("tutorial.md")) == (12, 3)


@pytest.mark.parametrize("text", BLOCKS)
def test_workflow_of_a_page_has_neither_errors_nor_warnings(text):
    assert [str(problem) for problem in drafts.problems(text)] == []


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_playbook_that_comes_along_has_neither_errors_nor_warnings(path):
    assert [str(problem) for problem in drafts.problems(path.read_text())] == []


@pytest.mark.django_db
@pytest.mark.parametrize("text", [param for param in BLOCKS if "\ntests:" in param.values[0]])
def test_workflow_of_a_page_passes_its_tests(text):
    assert [str(failure) for failure in workflow_tests.problems(text)] == []


@pytest.mark.parametrize("text", SHOWN)
def test_recipe_with_the_name_of_a_playbook_is_that_playbook(text):
    shown = profile.load(text).data
    stored = profile.load((PLAYBOOKS / f"{shown['id']}.yaml").read_text()).data
    del stored["tests"]

    assert shown == stored
