"""Bindings say where a workflow is on, with which version and with inputs it takes."""

import pytest
from django.core.exceptions import ValidationError

from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.models import Binding
from registry.versions import bindings, publishing
from tests.factories import make_instance, make_workflow, switch_on
from tests.registry.versions.greeting import OTHER, TEXT, newer

pytestmark = pytest.mark.django_db


def test_binding_of_the_same_scope_is_changed_not_added():
    workflow = make_workflow(TEXT)
    first = bindings.bind(workflow, scope="global", actor="t", inputs={"word": "hi"})

    second = bindings.bind(workflow, scope="global", actor="t", enabled=False)

    assert first.pk == second.pk and second.revision == first.revision + 1
    assert (second.enabled, second.inputs) == (False, {"word": "hi"})


def test_binding_keeps_what_is_not_given():
    workflow = make_workflow(TEXT)
    version = publishing.version_of(workflow, 1)
    bindings.bind(workflow, scope="global", actor="t", inputs={"word": "hi"}, priority=7,
                  version=version)

    bindings.bind(workflow, scope="global", actor="t", enabled=False)
    kept = bindings.bind(workflow, scope="global", actor="t", priority=None)

    assert (kept.enabled, kept.inputs, kept.priority, kept.version) == (
        False, {"word": "hi"}, None, version)


def test_unknown_input_of_a_binding_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="no such input; it has: word") as refused:
        switch_on(TEXT, inputs={"wrod": "hi"})

    assert set(refused.value.details) == {"inputs.wrod"} and not Binding.objects.exists()


def test_version_of_another_workflow_cannot_be_pinned():
    with pytest.raises(InvalidInput, match="another workflow"):
        bindings.bind(make_workflow(TEXT), scope="global", actor="t",
                      version=make_workflow(OTHER).latest())


@pytest.mark.parametrize("place", [
    {"scope": "instance"}, {"scope": "provider"}, {"scope": "galaxy"},
    {"scope": "global", "provider": "webhook"},
    {"scope": "provider", "provider": "webhook", "instance": True}])
def test_scope_and_place_of_a_binding_must_fit(place):
    if place.get("instance"):
        place = {**place, "instance": make_instance()}

    with pytest.raises(ValidationError):
        bindings.bind(make_workflow(TEXT), actor="t", **place)

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

    bindings.bind(workflow, scope="instance", instance=shop, inputs={"size": 2}, actor="t")

    with pytest.raises(InvalidInput, match="inputs.word is required"):
        bindings.bind(workflow, scope="global", actor="t")


def test_what_is_only_started_by_hand_may_be_given_its_inputs_then():
    by_hand = NEEDS.replace("event: message.text", "manual: true")

    assert "manual" in by_hand and switch_on(by_hand).bindings.get().enabled


def test_switching_off_needs_no_inputs():
    assert bindings.bind(make_workflow(NEEDS), scope="global", enabled=False, actor="t").pk


def test_inputs_are_those_of_the_pinned_version():
    workflow = make_workflow(TEXT)
    make_workflow(TEXT.replace("word:", "phrase:"))

    bindings.bind(workflow, scope="global", version=workflow.versions.get(number=1), actor="t",
                  inputs={"word": "hi"})

    with pytest.raises(InvalidInput, match="no such input; it has: phrase"):
        bindings.bind(workflow, scope="global", version=None, actor="t", inputs={"word": "hi"})


def test_pinned_binding_runs_its_version_and_the_change_is_noted():
    make_workflow(TEXT)
    workflow = make_workflow(newer("B"))
    binding = bindings.bind(workflow, scope="global", actor="t")

    bindings.pin(binding, publishing.version_of(workflow, 1), actor="user:ana")

    binding.refresh_from_db()
    assert (binding.version.number, binding.revision) == (1, 2)
    entry = AuditEntry.objects.get(action="binding.pinned")
    assert (entry.actor, entry.facts) == ("user:ana", {
        "scope": "global", "instance": "", "provider": "", "before": None, "after": 1})


def test_binding_is_not_pinned_to_a_version_of_another_workflow():
    binding = bindings.bind(make_workflow(TEXT), scope="global", actor="t")

    with pytest.raises(InvalidInput, match="another workflow"):
        bindings.pin(binding, make_workflow(OTHER).latest(), actor="t")


def test_ended_binding_is_gone_and_noted():
    binding = bindings.bind(make_workflow(TEXT), scope="instance", instance=make_instance(),
                            actor="t")

    bindings.unbind(binding, actor="user:ana")

    assert not Binding.objects.exists()
    entry = AuditEntry.objects.get(action="binding.removed")
    assert (entry.target, entry.facts["instance"]) == ("greet", "shop")
