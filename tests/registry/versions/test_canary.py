"""One instance tries a version, the others keep theirs; then all have it."""

import pytest

from omni.audit import AuditEntry
from omni.errors import InvalidInput, InvalidWorkflow
from registry.engine.route import matching
from registry.models import Binding, WorkflowVersion
from registry.versions import bindings, canary, drafts, publishing
from tests.factories import make_event, make_instance, make_workflow

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
name: v0
inputs: {word: {type: text, default: hi}}
trigger: [{event: message.text}]
steps: [{stop: done}]
"""


def published(*names):
    for name in names:
        workflow = make_workflow(TEXT.replace("v0", name))
    return workflow


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def desk():
    return make_instance("desk")


def runs(*instances):
    """The version each instance runs, None where it is off."""
    on = matching.table()
    return [next((item.version_number for item in
                  on.switched_on(instance.pk, instance.provider)), None)
            for instance in instances]


def bind(workflow, scope="global", **options):
    return bindings.bind(workflow, scope=scope, actor="t", **options)


def pin_of(binding):
    binding.refresh_from_db()
    return binding.version and binding.version.number


def test_newest_version_runs_on_one_instance_and_the_others_keep_the_one_before(shop, desk):
    workflow = published("a", "b")
    wide = bind(workflow)

    version, changed = canary.start(workflow, instance=shop, actor="user:ana")

    assert version.number == 2 and runs(shop, desk) == [2, 1]
    assert [(item.scope, item.instance, item.change, item.before, item.after)
            for item in changed] == [("global", "", "pinned", None, 1),
                                     ("instance", "shop", "made", None, 2)]
    assert pin_of(wide) == 1


def test_canary_is_noted_with_what_it_held_back(shop):
    workflow = published("a", "b")
    wide = bind(workflow)

    canary.start(workflow, instance=shop, actor="user:ana")

    entry = AuditEntry.objects.get(action="workflow.canary")
    assert (entry.actor, entry.target) == ("user:ana", "greet")
    assert entry.facts == {"instance": "shop", "version": 2, "made": True, "followed": [wide.pk]}


def test_pinned_bindings_stay_as_they_are(shop, desk):
    workflow = published("a", "b", "c")
    wide = bind(workflow, version=publishing.version_of(workflow, 2))

    _, changed = canary.start(workflow, instance=shop, actor="t")

    assert runs(shop, desk) == [3, 2] and [item.scope for item in changed] == ["instance"]
    assert pin_of(wide) == 2


def test_older_version_is_tried_while_the_others_follow_the_newest(shop, desk):
    workflow = published("a", "b")
    wide = bind(workflow)

    canary.start(workflow, instance=shop, number=1, actor="t")

    assert runs(shop, desk) == [1, 2] and pin_of(wide) is None


def test_draft_is_published_for_the_canary_alone(shop, desk):
    workflow = published("a")
    bind(workflow)
    drafts.save_draft(TEXT.replace("v0", "b"), actor="t")

    version, _ = canary.start(workflow, instance=shop, draft=True, actor="t")

    assert version.number == 2 and runs(shop, desk) == [2, 1]


def test_draft_with_errors_changes_nothing(shop, desk):
    workflow = published("a")
    bind(workflow)
    drafts.save_draft(TEXT.replace("trigger:", "triger:"), actor="t")

    with pytest.raises(InvalidWorkflow):
        canary.start(workflow, instance=shop, draft=True, actor="t")

    assert runs(shop, desk) == [1, 1] and Binding.objects.count() == 1


def test_binding_of_the_instance_keeps_its_inputs_and_priority(shop):
    workflow = published("a", "b")
    bind(workflow)
    own = bind(workflow, "instance", instance=shop, inputs={"word": "hey"}, priority=7)

    canary.start(workflow, instance=shop, actor="t")

    own.refresh_from_db()
    assert (own.inputs, own.priority, pin_of(own)) == ({"word": "hey"}, 7, 2)


@pytest.mark.parametrize("scopes", [
    ["global"], ["provider"], ["desk"], ["global", "provider"], ["global", "desk"],
    ["provider", "desk"], ["global", "provider", "desk"]])
def test_every_way_to_follow_the_newest_is_held_back_and_let_go_again(shop, desk, scopes):
    workflow = published("a", "b")
    for scope in scopes:
        bind(workflow, **{"global": {}, "provider": {"scope": "provider", "provider": "webhook"},
                          "desk": {"scope": "instance", "instance": desk}}[scope])
    before = list(Binding.objects.order_by("pk").values_list("pk", "version"))

    canary.start(workflow, instance=shop, actor="t")
    assert runs(shop, desk) == [2, 1]
    canary.promote(workflow, actor="t")

    assert runs(desk) == [2]
    kept = Binding.objects.exclude(instance=shop).order_by("pk").values_list("pk", "version")
    assert list(kept) == before


def test_other_provider_is_held_back_too(shop):
    workflow = published("a", "b")
    away = make_instance("away", "webchat")
    bind(workflow, "provider", provider="webhook")
    bind(workflow, "provider", provider="webchat")

    canary.start(workflow, instance=shop, actor="t")

    assert runs(shop, away) == [2, 1]


def test_two_instances_may_try_the_same_version(shop, desk):
    workflow = published("a", "b")
    bind(workflow)
    bank = make_instance("bank")

    for instance in (shop, desk):
        canary.start(workflow, instance=instance, actor="t")

    assert runs(shop, desk, bank) == [2, 2, 1]
    assert canary.on_trial(workflow) == {"shop": 2, "desk": 2}
    canary.promote(workflow, actor="t")
    assert runs(shop, desk, bank) == [2, 2, 2] and Binding.objects.get().version is None


@pytest.mark.parametrize("is_on", [True, False])
def test_workflow_switched_off_on_the_instance_is_refused(shop, is_on):
    workflow = published("a", "b")
    bind(workflow, enabled=is_on)
    if is_on:
        bind(workflow, "instance", instance=shop, enabled=False)

    with pytest.raises(InvalidInput, match="switched off on 'shop'"):
        canary.start(workflow, instance=shop, actor="t")

    assert not Binding.objects.exclude(version=None).exists()


def test_only_version_cannot_be_a_canary_while_others_follow_it(shop, desk):
    workflow = published("a")
    bind(workflow)

    with pytest.raises(InvalidInput, match="only one"):
        canary.start(workflow, instance=shop, actor="t")

    assert runs(shop, desk) == [1, 1] and Binding.objects.count() == 1


def test_workflow_that_was_on_nowhere_is_on_where_it_is_tried_alone(shop, desk):
    canary.start(published("a"), instance=shop, actor="t")

    assert runs(shop, desk) == [1, None]


def test_unpublished_workflow_has_nothing_to_try(shop):
    with pytest.raises(InvalidInput, match="no published version"):
        canary.start(drafts.save_draft(TEXT, actor="t"), instance=shop, actor="t")


def test_promoting_ends_the_canary_and_lets_the_others_follow_again(shop, desk):
    workflow = published("a", "b")
    wide = bind(workflow)
    canary.start(workflow, instance=shop, actor="t")

    version, changed = canary.promote(workflow, actor="user:ana")

    assert version.number == 2 and runs(shop, desk) == [2, 2]
    assert [(item.scope, item.change, item.before, item.after) for item in changed] == [
        ("global", "pinned", 1, None), ("instance", "ended", 2, None)]
    assert Binding.objects.get() == wide and canary.on_trial(workflow) == {}
    published("c")
    assert runs(shop, desk) == [3, 3]


def test_pins_of_people_move_and_stay_pins(shop, desk):
    workflow = published("a", "b")
    wide = bind(workflow, version=publishing.version_of(workflow, 1))
    canary.start(workflow, instance=shop, actor="t")

    canary.promote(workflow, actor="t")

    assert runs(shop, desk) == [2, 2] and pin_of(wide) == 2


def test_own_binding_loses_its_pin_and_stays(shop):
    workflow = published("a", "b")
    bind(workflow)
    own = bind(workflow, "instance", instance=shop, inputs={"word": "hey"})
    canary.start(workflow, instance=shop, actor="t")

    canary.promote(workflow, actor="t")

    assert pin_of(own) is None and own.inputs == {"word": "hey"} and runs(shop) == [2]


def test_only_binding_is_not_ended_by_promoting(shop):
    workflow = published("a", "b")
    canary.start(workflow, instance=shop, actor="t")

    canary.promote(workflow, actor="t")

    assert runs(shop) == [2] and Binding.objects.get().version is None


def test_version_that_is_no_longer_the_newest_is_promoted_as_a_pin(shop, desk):
    workflow = published("a", "b")
    wide = bind(workflow)
    canary.start(workflow, instance=shop, actor="t")
    published("c")

    canary.promote(workflow, actor="t")

    assert runs(shop, desk) == [2, 2] and pin_of(wide) == 2


def test_canary_that_failed_goes_back_by_promoting_the_one_before(shop, desk):
    workflow = published("a", "b")
    bind(workflow)
    canary.start(workflow, instance=shop, actor="t")

    canary.promote(workflow, number=1, actor="t")

    assert runs(shop, desk) == [1, 1] and canary.on_trial(workflow) == {}


def test_nothing_to_promote_is_said(shop):
    workflow = published("a", "b")
    bind(workflow)

    with pytest.raises(InvalidInput, match="no canary") as refused:
        canary.promote(workflow, actor="t")

    assert refused.value.code == "no_canary"


def test_canary_that_somebody_bound_otherwise_since_is_none(shop):
    workflow = published("a", "b")
    bind(workflow)
    canary.start(workflow, instance=shop, actor="t")
    bind(workflow, "instance", instance=shop, version=publishing.version_of(workflow, 1))

    assert canary.on_trial(workflow) == {}
    with pytest.raises(InvalidInput, match="no canary"):
        canary.promote(workflow, actor="t")


def test_run_on_the_canary_is_of_the_tried_version(shop):
    workflow = published("a", "b")
    bind(workflow)
    canary.start(workflow, instance=shop, actor="t")

    [matched] = matching.match(make_event(shop), matching.table()).matches

    assert WorkflowVersion.objects.get(pk=matched.version_id).number == 2
