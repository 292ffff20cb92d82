"""Published versions never change; documents come and go as files, workflows are put away."""

import pytest
from django.db import DatabaseError, transaction

from omni.audit import AuditEntry
from omni.errors import InvalidInput, InvalidWorkflow
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import drafts, publishing
from tests.factories import make_workflow, switch_on
from tests.registry.versions.greeting import BROKEN, OTHER, TEXT, actions_noted, newer

pytestmark = pytest.mark.django_db


def test_publishing_from_an_old_revision_is_stale():
    workflow = drafts.save_draft(TEXT, actor="t")
    drafts.save_draft(newer("Theirs"), actor="t")

    with pytest.raises(drafts.Stale) as refused:
        publishing.publish(workflow, actor="t", base_revision=workflow.revision)

    assert refused.value.stored == newer("Theirs") and not WorkflowVersion.objects.exists()


def test_stored_draft_is_published_not_one_that_was_read_before():
    workflow = drafts.save_draft(TEXT, actor="t")
    drafts.save_draft(newer("Theirs"), actor="t")

    assert publishing.publish(workflow, actor="t").text == newer("Theirs")


def test_text_that_cannot_be_published_is_not_saved_either():
    make_workflow(TEXT)

    with pytest.raises(InvalidWorkflow):
        publishing.publish_text(BROKEN, actor="t")

    assert Workflow.objects.get().draft == TEXT


def test_published_version_keeps_the_text_and_who_made_it():
    workflow = drafts.save_draft(TEXT, actor="t")

    version = publishing.publish(workflow, actor="user:ana", note="first")

    assert (version.number, version.text, version.note) == (1, TEXT, "first")
    assert workflow.revision == 2
    entry = AuditEntry.objects.get(action="workflow.published")
    assert (entry.actor, entry.target) == ("user:ana", "greet")


def test_document_with_errors_is_not_published_and_every_error_is_named():
    workflow = drafts.save_draft(BROKEN.replace("- stop: done", "- halt: done"), actor="t")

    with pytest.raises(InvalidWorkflow) as refused:
        publishing.publish(workflow, actor="t")

    assert "triger" in str(refused.value) and "halt" in str(refused.value)
    assert not WorkflowVersion.objects.exists()


def test_same_text_makes_no_new_version():
    workflow = make_workflow(TEXT)

    assert publishing.publish(workflow, actor="t") == workflow.latest()
    assert WorkflowVersion.objects.count() == 1


def test_versions_are_numbered_one_after_the_other():
    make_workflow(TEXT)
    make_workflow(newer("B"))
    workflow = make_workflow(TEXT)

    assert sorted(workflow.versions.values_list("number", flat=True)) == [1, 2, 3]


@pytest.mark.parametrize("change", [
    lambda: WorkflowVersion.objects.update(text="changed"),
    lambda: WorkflowVersion.objects.update(number=7),
], ids=["text", "number"])
def test_database_refuses_to_change_a_version(change):
    make_workflow(TEXT)

    with pytest.raises(DatabaseError), transaction.atomic():
        change()

    assert WorkflowVersion.objects.get().text == TEXT


def test_rolling_back_publishes_the_old_text_as_a_new_version():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))

    version = publishing.roll_back(workflow, 1, actor="t")

    assert (version.number, version.text) == (3, TEXT)
    assert version.note == "rolled back to version 1" and Workflow.objects.get().draft == TEXT


def test_rolling_back_to_a_text_that_is_not_valid_any_more_changes_nothing():
    workflow = make_workflow(TEXT)
    WorkflowVersion.objects.create(workflow=workflow, number=2, text=BROKEN, sha256="0" * 64,
                                   compiled={})

    with pytest.raises(InvalidWorkflow):
        publishing.roll_back(workflow, 2, actor="t")

    assert Workflow.objects.get().draft == TEXT and workflow.versions.count() == 2


def test_import_of_several_documents_stores_and_publishes_each():
    workflows = publishing.import_text(f"---\n{TEXT}---\n{OTHER}", actor="t")

    assert [workflow.slug for workflow in workflows] == ["greet", "other"]
    assert all(workflow.latest().number == 1 for workflow in workflows)


@pytest.mark.parametrize("second", [OTHER.replace("trigger:", "triger:"), "no: id\n", "a: [\n"])
def test_import_with_one_bad_document_stores_none(second):
    with pytest.raises(InvalidWorkflow):
        publishing.import_text(f"{TEXT}---\n{second}", actor="t")

    assert not Workflow.objects.exists() and actions_noted() == []


@pytest.mark.parametrize("publish", [True, False])
def test_import_without_any_document_is_refused(publish):
    with pytest.raises(InvalidWorkflow, match="no document"):
        publishing.import_text("---\n---\n", actor="t", publish=publish)


def test_import_of_drafts_stores_none_when_one_has_no_id():
    with pytest.raises(InvalidWorkflow):
        publishing.import_text(f"{TEXT}---\nno: id\n", actor="t", publish=False)

    assert not Workflow.objects.exists()


def test_dashes_inside_a_text_do_not_cut_a_document():
    text = TEXT.replace("name: Greet\n", "description: |\n  above\n  ---\n  below\n")

    [workflow] = publishing.import_text(text, actor="t")

    assert workflow.description == "above\n---\nbelow\n"


def test_export_and_import_give_the_same_text():
    text = publishing.export_text(make_workflow(TEXT))

    assert text == TEXT and publishing.import_text(text, actor="t")[0].latest().number == 1


def test_export_is_the_newest_version_unless_a_number_is_asked_for():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))
    drafts.save_draft(newer("Draft"), actor="t")

    assert publishing.export_text(workflow) == newer("B")
    assert publishing.export_text(workflow, number=1) == TEXT


def test_unknown_version_is_named():
    workflow = make_workflow(TEXT)

    for ask in (lambda: publishing.export_text(workflow, number=9),
                lambda: publishing.roll_back(workflow, 9, actor="t")):
        with pytest.raises(InvalidInput, match="'greet' has no version 9"):
            ask()


def test_difference_of_versions_and_of_the_draft():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))

    assert "-name: Greet\n+name: B\n" in publishing.diff(workflow, 1, 2)
    assert publishing.diff(workflow, 2) == ""


def test_archived_workflow_keeps_everything_but_its_bindings():
    workflow = switch_on(TEXT)

    publishing.archive(workflow, actor="t")
    publishing.archive(workflow, actor="t")

    workflow.refresh_from_db()
    assert workflow.archived_at is not None and workflow.latest().text == TEXT
    assert not Binding.objects.get().enabled
    assert actions_noted().count("workflow.archived") == 1
