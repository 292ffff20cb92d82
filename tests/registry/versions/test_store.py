"""Workflows are written in one place: revisions, immutable versions, files, bindings."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from omni.audit import AuditEntry
from omni.errors import InvalidInput, InvalidWorkflow
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import store
from tests.factories import make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db
TEXT = """\
# Greets people.
omni: 1
id: greet
name: Greet
inputs:
  word: {type: text, default: hello}
trigger:
  - event: message.text
steps:
  - stop: done
"""
BROKEN = TEXT.replace("trigger:", "triger:")
OTHER = TEXT.replace("id: greet", "id: other")


def newer(name):
    return TEXT.replace("name: Greet", f"name: {name}")


def actions_noted():
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_draft_is_stored_as_written_under_the_id_of_its_document():
    workflow = store.save_draft(TEXT, actor="user:ana")

    assert (workflow.slug, workflow.name, workflow.draft, workflow.revision) == (
        "greet", "Greet", TEXT, 1)
    assert workflow.latest() is None and actions_noted() == ["workflow.created"]


def test_draft_with_problems_may_be_stored():
    assert store.save_draft(BROKEN, actor="t").draft == BROKEN


@pytest.mark.parametrize("text", ["", "omni: 1\n", "- a\n", "id: [x]\n", "id: Not A Word\n",
                                  "id: greet\n  bad: indent\n", "id: !!python/object:os.x {}\n"])
def test_text_without_a_readable_id_is_not_stored(text):
    with pytest.raises(InvalidWorkflow):
        store.save_draft(text, actor="t")

    assert not Workflow.objects.exists()


def test_every_change_raises_the_revision_and_the_same_text_does_not():
    store.save_draft(TEXT, actor="t")

    assert store.save_draft(newer("A"), actor="t").revision == 2
    assert store.save_draft(newer("A"), actor="t").revision == 2


def test_save_over_a_change_of_somebody_else_is_stale():
    base = store.save_draft(TEXT, actor="t").revision
    store.save_draft(newer("Theirs"), actor="t", base_revision=base)

    with pytest.raises(InvalidInput, match="saved by somebody else") as refused:
        store.save_draft(newer("Mine"), actor="t", base_revision=base)

    assert refused.value.code == "stale" and Workflow.objects.get().name == "Theirs"
    assert (refused.value.stored, refused.value.yours) == (newer("Theirs"), newer("Mine"))


def test_publishing_from_an_old_revision_is_stale():
    workflow = store.save_draft(TEXT, actor="t")
    store.save_draft(newer("Theirs"), actor="t")

    with pytest.raises(store.Stale) as refused:
        store.publish(workflow, actor="t", base_revision=workflow.revision)

    assert refused.value.stored == newer("Theirs") and not WorkflowVersion.objects.exists()


def test_stored_draft_is_published_not_one_that_was_read_before():
    workflow = store.save_draft(TEXT, actor="t")
    store.save_draft(newer("Theirs"), actor="t")

    assert store.publish(workflow, actor="t").text == newer("Theirs")


def test_text_that_cannot_be_published_is_not_saved_either():
    make_workflow(TEXT)

    with pytest.raises(InvalidWorkflow):
        store.publish_text(BROKEN, actor="t")

    assert Workflow.objects.get().draft == TEXT


def test_saving_brings_an_archived_workflow_back():
    workflow = make_workflow(TEXT)
    Workflow.objects.update(archived_at=workflow.created_at)

    assert store.save_draft(newer("Back"), actor="t").archived_at is None


def test_published_version_keeps_the_text_and_who_made_it():
    workflow = store.save_draft(TEXT, actor="t")

    version = store.publish(workflow, actor="user:ana", note="first")

    assert (version.number, version.text, version.note) == (1, TEXT, "first")
    assert workflow.revision == 2
    entry = AuditEntry.objects.get(action="workflow.published")
    assert (entry.actor, entry.target) == ("user:ana", "greet")


def test_document_with_errors_is_not_published_and_every_error_is_named():
    workflow = store.save_draft(BROKEN.replace("- stop: done", "- halt: done"), actor="t")

    with pytest.raises(InvalidWorkflow) as refused:
        store.publish(workflow, actor="t")

    assert "triger" in str(refused.value) and "halt" in str(refused.value)
    assert not WorkflowVersion.objects.exists()


def test_same_text_makes_no_new_version():
    workflow = make_workflow(TEXT)

    assert store.publish(workflow, actor="t") == workflow.latest()
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

    version = store.roll_back(workflow, 1, actor="t")

    assert (version.number, version.text) == (3, TEXT)
    assert version.note == "rolled back to version 1" and Workflow.objects.get().draft == TEXT


def test_rolling_back_to_a_text_that_is_not_valid_any_more_changes_nothing():
    workflow = make_workflow(TEXT)
    WorkflowVersion.objects.create(workflow=workflow, number=2, text=BROKEN, sha256="0" * 64,
                                   compiled={})

    with pytest.raises(InvalidWorkflow):
        store.roll_back(workflow, 2, actor="t")

    assert Workflow.objects.get().draft == TEXT and workflow.versions.count() == 2


def test_import_of_several_documents_stores_and_publishes_each():
    workflows = store.import_text(f"---\n{TEXT}---\n{OTHER}", actor="t")

    assert [workflow.slug for workflow in workflows] == ["greet", "other"]
    assert all(workflow.latest().number == 1 for workflow in workflows)


@pytest.mark.parametrize("second", [OTHER.replace("trigger:", "triger:"), "no: id\n", "a: [\n"])
def test_import_with_one_bad_document_stores_none(second):
    with pytest.raises(InvalidWorkflow):
        store.import_text(f"{TEXT}---\n{second}", actor="t")

    assert not Workflow.objects.exists() and actions_noted() == []


@pytest.mark.parametrize("publish", [True, False])
def test_import_without_any_document_is_refused(publish):
    with pytest.raises(InvalidWorkflow, match="no document"):
        store.import_text("---\n---\n", actor="t", publish=publish)


def test_import_of_drafts_stores_none_when_one_has_no_id():
    with pytest.raises(InvalidWorkflow):
        store.import_text(f"{TEXT}---\nno: id\n", actor="t", publish=False)

    assert not Workflow.objects.exists()


def test_dashes_inside_a_text_do_not_cut_a_document():
    text = TEXT.replace("name: Greet\n", "description: |\n  above\n  ---\n  below\n")

    [workflow] = store.import_text(text, actor="t")

    assert workflow.description == "above\n---\nbelow\n"


def test_export_and_import_give_the_same_text():
    text = store.export_text(make_workflow(TEXT))

    assert text == TEXT and store.import_text(text, actor="t")[0].latest().number == 1


def test_export_is_the_newest_version_unless_a_number_is_asked_for():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))
    store.save_draft(newer("Draft"), actor="t")

    assert store.export_text(workflow) == newer("B")
    assert store.export_text(workflow, number=1) == TEXT


def test_unknown_version_is_named():
    workflow = make_workflow(TEXT)

    for ask in (lambda: store.export_text(workflow, number=9),
                lambda: store.roll_back(workflow, 9, actor="t")):
        with pytest.raises(InvalidInput, match="'greet' has no version 9"):
            ask()


def test_difference_of_versions_and_of_the_draft():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))

    assert "-name: Greet\n+name: B\n" in store.diff(workflow, 1, 2)
    assert store.diff(workflow, 2) == ""


def test_binding_of_the_same_scope_is_changed_not_added():
    workflow = make_workflow(TEXT)
    first = store.bind(workflow, scope="global", actor="t", inputs={"word": "hi"})

    second = store.bind(workflow, scope="global", actor="t", enabled=False)

    assert first.pk == second.pk and second.revision == first.revision + 1
    assert (second.enabled, second.inputs) == (False, {"word": "hi"})


def test_binding_keeps_what_is_not_given():
    workflow = make_workflow(TEXT)
    version = store.version_of(workflow, 1)
    store.bind(workflow, scope="global", actor="t", inputs={"word": "hi"}, priority=7,
               version=version)

    store.bind(workflow, scope="global", actor="t", enabled=False)
    kept = store.bind(workflow, scope="global", actor="t", priority=None)

    assert (kept.enabled, kept.inputs, kept.priority, kept.version) == (
        False, {"word": "hi"}, None, version)


def test_unknown_input_of_a_binding_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="no such input; it has: word") as refused:
        switch_on(TEXT, inputs={"wrod": "hi"})

    assert set(refused.value.details) == {"inputs.wrod"} and not Binding.objects.exists()


def test_version_of_another_workflow_cannot_be_pinned():
    with pytest.raises(InvalidInput, match="another workflow"):
        store.bind(make_workflow(TEXT), scope="global", actor="t",
                   version=make_workflow(OTHER).latest())


@pytest.mark.parametrize("place", [
    {"scope": "instance"}, {"scope": "provider"}, {"scope": "galaxy"},
    {"scope": "global", "provider": "webhook"},
    {"scope": "provider", "provider": "webhook", "instance": True}])
def test_scope_and_place_of_a_binding_must_fit(place):
    if place.get("instance"):
        place = {**place, "instance": make_instance()}

    with pytest.raises(ValidationError):
        store.bind(make_workflow(TEXT), actor="t", **place)

    assert not Binding.objects.exists()


NEEDS = TEXT.replace("{type: text, default: hello}", "{type: text, required: true}\n"
                     "  size: {type: integer}")


def test_wrong_values_of_a_binding_are_all_named():
    with pytest.raises(InvalidInput) as refused:
        switch_on(NEEDS, inputs={"size": "big"})

    assert refused.value.details == {"inputs.size": "must be a whole number",
                                     "inputs.word": "is required; give text"}
    assert not Binding.objects.exists()


def test_required_input_may_come_from_a_wider_binding():
    shop = make_instance()
    workflow = switch_on(NEEDS, scope="provider", provider="webhook", inputs={"word": "hi"})

    store.bind(workflow, scope="instance", instance=shop, inputs={"size": 2}, actor="t")

    with pytest.raises(InvalidInput, match="inputs.word is required"):
        store.bind(workflow, scope="global", actor="t")


def test_what_is_only_started_by_hand_may_be_given_its_inputs_then():
    by_hand = NEEDS.replace("event: message.text", "manual: true")

    assert "manual" in by_hand and switch_on(by_hand).bindings.get().enabled


def test_switching_off_needs_no_inputs():
    assert store.bind(make_workflow(NEEDS), scope="global", enabled=False, actor="t").pk


def test_inputs_are_those_of_the_pinned_version():
    workflow = make_workflow(TEXT)
    make_workflow(TEXT.replace("word:", "phrase:"))

    store.bind(workflow, scope="global", version=workflow.versions.get(number=1), actor="t",
               inputs={"word": "hi"})

    with pytest.raises(InvalidInput, match="no such input; it has: phrase"):
        store.bind(workflow, scope="global", version=None, actor="t", inputs={"word": "hi"})


def test_archived_workflow_keeps_everything_but_its_bindings():
    workflow = switch_on(TEXT)

    store.archive(workflow, actor="t")
    store.archive(workflow, actor="t")

    workflow.refresh_from_db()
    assert workflow.archived_at is not None and workflow.latest().text == TEXT
    assert not Binding.objects.get().enabled
    assert actions_noted().count("workflow.archived") == 1


def test_saving_the_same_text_takes_an_archived_workflow_back():
    workflow = make_workflow(TEXT)
    store.archive(workflow, actor="t")

    assert store.save_draft(TEXT, actor="t").archived_at is None


def test_pinned_binding_runs_its_version_and_the_change_is_noted():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))
    binding = store.bind(workflow, scope="global", actor="t")

    store.pin(binding, store.version_of(workflow, 1), actor="user:ana")

    binding.refresh_from_db()
    assert (binding.version.number, binding.revision) == (1, 2)
    entry = AuditEntry.objects.get(action="binding.pinned")
    assert (entry.actor, entry.facts) == ("user:ana", {
        "scope": "global", "instance": "", "provider": "", "before": None, "after": 1})


def test_binding_is_not_pinned_to_a_version_of_another_workflow():
    binding = store.bind(make_workflow(TEXT), scope="global", actor="t")

    with pytest.raises(InvalidInput, match="another workflow"):
        store.pin(binding, make_workflow(OTHER).latest(), actor="t")


def test_ended_binding_is_gone_and_noted():
    binding = store.bind(make_workflow(TEXT), scope="instance", instance=make_instance(),
                         actor="t")

    store.unbind(binding, actor="user:ana")

    assert not Binding.objects.exists()
    entry = AuditEntry.objects.get(action="binding.removed")
    assert (entry.target, entry.facts["instance"]) == ("greet", "shop")
