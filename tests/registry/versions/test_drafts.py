"""Drafts of workflows: stored as written, each change with a revision, none over another."""

import pytest

from omni.errors import InvalidInput, InvalidWorkflow
from registry.models import Workflow
from registry.versions import drafts, publishing
from tests.factories import make_workflow
from tests.registry.versions.greeting import BROKEN, TEXT, actions_noted, newer

pytestmark = pytest.mark.django_db


def test_draft_is_stored_as_written_under_the_id_of_its_document():
    workflow = drafts.save_draft(TEXT, actor="user:ana")

    assert (workflow.slug, workflow.name, workflow.draft, workflow.revision) == (
        "greet", "Greet", TEXT, 1)
    assert workflow.latest() is None and actions_noted() == ["workflow.created"]


def test_draft_with_problems_may_be_stored():
    assert drafts.save_draft(BROKEN, actor="t").draft == BROKEN


@pytest.mark.parametrize("text", ["", "omni: 1\n", "- a\n", "id: [x]\n", "id: Not A Word\n",
                                  "id: greet\n  bad: indent\n", "id: !!python/object:os.x {}\n"])
def test_text_without_a_readable_id_is_not_stored(text):
    with pytest.raises(InvalidWorkflow):
        drafts.save_draft(text, actor="t")

    assert not Workflow.objects.exists()


def test_every_change_raises_the_revision_and_the_same_text_does_not():
    drafts.save_draft(TEXT, actor="t")

    assert drafts.save_draft(newer("A"), actor="t").revision == 2
    assert drafts.save_draft(newer("A"), actor="t").revision == 2


def test_save_over_a_change_of_somebody_else_is_stale():
    base = drafts.save_draft(TEXT, actor="t").revision
    drafts.save_draft(newer("Theirs"), actor="t", base_revision=base)

    with pytest.raises(InvalidInput, match="saved by somebody else") as refused:
        drafts.save_draft(newer("Mine"), actor="t", base_revision=base)

    assert refused.value.code == "stale" and Workflow.objects.get().name == "Theirs"
    assert (refused.value.stored, refused.value.yours) == (newer("Theirs"), newer("Mine"))


def test_saving_brings_an_archived_workflow_back():
    workflow = make_workflow(TEXT)
    Workflow.objects.update(archived_at=workflow.created_at)

    assert drafts.save_draft(newer("Back"), actor="t").archived_at is None


def test_saving_the_same_text_takes_an_archived_workflow_back():
    workflow = make_workflow(TEXT)
    publishing.archive(workflow, actor="t")

    assert drafts.save_draft(TEXT, actor="t").archived_at is None
