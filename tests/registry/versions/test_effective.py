"""Each value of a workflow on an instance has its origin, and is the one matching uses."""

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.engine.route import matching
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import bindings, drafts, effective, publishing
from tests.factories import make_instance, make_workflow

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
priority: 300
claim: reply
inputs:
  word: {type: text, default: hi}
  other: {type: text}
trigger: [{event: message.text}]
steps: [{stop: done}]
"""
NEWER = TEXT.replace("300", "200").replace("default: hi", "default: newer")


@pytest.fixture
def shop():
    return make_instance()


def view(workflow, instance):
    return next(effective.views(workflow, [instance]))


def bind(workflow, scope="global", **options):
    return bindings.bind(workflow, scope=scope, actor="t", **options)


def pair(value):
    return (value.value, value.origin)


def test_narrowest_binding_that_says_something_is_the_origin(shop):
    make_workflow(TEXT)
    workflow = make_workflow(NEWER)
    bind(workflow, inputs={"word": "wide", "other": "wide"}, priority=9,
         version=publishing.version_of(workflow, 1))
    bind(workflow, "provider", provider="webhook", inputs={"word": "middle"}, priority=8)
    narrow = bind(workflow, "instance", instance=shop)

    found = view(workflow, shop)

    assert (found.is_on, found.binding) == (True, narrow.pk)
    assert pair(found.enabled) == (True, "instance")
    assert pair(found.version) == (1, "global") and pair(found.priority) == (8, "provider")
    assert {name: pair(value) for name, value in found.inputs.items()} == {
        "word": ("middle", "provider"), "other": ("wide", "global")}
    assert pair(found.claim) == ("reply", "document")


def test_what_no_binding_says_is_the_document_s_and_the_newest(shop):
    make_workflow(TEXT)
    workflow = make_workflow(NEWER)
    bind(workflow)

    found = view(workflow, shop)

    assert pair(found.version) == (2, "newest") and pair(found.priority) == (200, "document")
    assert pair(found.inputs["word"]) == ("newer", "document")


def test_gates_are_shown_as_the_version_defines_them(shop):
    workflow = make_workflow(TEXT)
    WorkflowVersion.objects.create(
        workflow=workflow, number=2, sha256="0" * 64, compiled={},
        text=TEXT.replace("claim: reply", "claim: reply\nonce: {key: conversation.id, per: 7d}"))
    bind(workflow)

    assert {name: pair(value) for name, value in view(workflow, shop).gates.items()} == {
        "once": ({"key": "conversation.id", "per": "7d"}, "document")}


@pytest.mark.parametrize(("prepare", "because"), [
    (lambda workflow, shop: None, "no binding"),
    (lambda workflow, shop: bind(workflow, enabled=False), "switched off by the global"),
    (lambda workflow, shop: (bind(workflow), bind(workflow, "instance", instance=shop,
                                                  enabled=False)),
     "switched off by the instance"),
    (lambda workflow, shop: (bind(workflow), Workflow.objects.update(
        archived_at=timezone.now())), "archived"),
    (lambda workflow, shop: bind(workflow, "provider", provider="webchat"), "no binding"),
    (lambda workflow, shop: (bind(workflow), setattr(shop, "enabled", False)),
     "the instance is disabled"),
    (lambda workflow, shop: (bind(workflow), setattr(shop, "archived_at", timezone.now())),
     "the instance is archived"),
])
def test_reason_why_it_is_off_is_named(shop, prepare, because):
    workflow = make_workflow(TEXT)
    prepare(workflow, shop)
    workflow.refresh_from_db()

    found = view(workflow, shop)

    assert not found.is_on and because in found.off_because


def test_draft_alone_is_off_because_nothing_is_published(shop):
    workflow = drafts.save_draft(TEXT, actor="t")
    bind(workflow)

    found = view(workflow, shop)

    assert found.off_because == "nothing is published" and pair(found.version) == (None, "newest")


def test_statements_do_not_grow_with_the_instances(django_assert_num_queries):
    workflow = make_workflow(TEXT)
    bind(workflow)
    instances = [make_instance(f"i{number}") for number in range(5)]

    with django_assert_num_queries(2):  # bindings, newest version
        assert len(list(effective.views(workflow, instances))) == 5


BINDING = st.fixed_dictionaries({
    "enabled": st.booleans(), "priority": st.none() | st.integers(0, 999),
    "version": st.sampled_from([None, 1, 2]),
    "inputs": st.dictionaries(st.sampled_from(["word", "other"]), st.sampled_from(["x", "y"]))})
PLACES = ("global", "webhook", "webchat", "shop", "desk")


class _Undo(Exception):
    pass


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bindings=st.dictionaries(st.sampled_from(PLACES), BINDING))
def test_view_says_of_any_bindings_what_matching_does(published, bindings):
    try:
        with transaction.atomic():
            _check(*published, bindings)
            raise _Undo
    except _Undo:
        matching.forget()


@pytest.fixture
def published():
    """Accounts and a workflow of two versions, which every example finds as they are."""
    instances = {"shop": make_instance(), "desk": make_instance("desk", "webchat")}
    make_workflow(TEXT)
    workflow = make_workflow(NEWER)
    return instances, workflow, {None: None, **{
        number: publishing.version_of(workflow, number) for number in (1, 2)}}


def _check(instances, workflow, versions, bindings):
    Binding.objects.bulk_create(
        Binding(workflow=workflow, **_scope(place, instances),
                **{**facts, "version": versions[facts["version"]]})
        for place, facts in bindings.items())
    on = matching.Table(())
    for instance in instances.values():
        used = next(iter(on.switched_on(instance.pk, instance.provider)), None)
        found = view(workflow, instance)
        assert found.is_on is (used is not None)
        if used is not None:
            assert (found.version.value, found.priority.value, found.claim.value, found.binding,
                    found.enabled.origin) == (
                used.version_number, used.priority, used.definition.claim, used.binding_id,
                used.scope)
            assert {name: value.value for name, value in found.inputs.items()} == used.inputs


def _scope(place, instances):
    if place in instances:
        return {"scope": "instance", "instance": instances[place]}
    return {"scope": "global"} if place == "global" else {"scope": "provider", "provider": place}
