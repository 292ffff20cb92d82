"""Which stored events another version would match: asked of matching, so it cannot differ."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.access import SYSTEM, Principal
from omni.errors import InvalidWorkflow
from registry.engine.route import matching
from registry.models import Workflow
from registry.versions import bindings, match_diff, publishing
from tests.factories import make_conversation, make_event, make_instance, make_workflow, switch_on
from tests.shared_person import FOREIGN_LABEL, FOREIGN_NAME, FOREIGN_NUMBER, shared_person

pytestmark = pytest.mark.django_db


def flow(where="", *, event="message.text", head=""):
    condition = f"    where: {where}\n" if where else ""
    return (f"omni: 1\nid: greet\n{head}trigger:\n  - event: {event}\n{condition}"
            "steps: [{set: {a: 1}}]\n")


@pytest.fixture
def shop():
    return make_instance()


def compare(before, after, *, bound=True, **options):
    """Both texts as versions 1 and 2 of a workflow that is switched on everywhere."""
    (switch_on if bound else make_workflow)(before)
    workflow = make_workflow(after)
    versions = [publishing.version_of(workflow, number) for number in (1, 2)]
    return match_diff.compare(workflow, *versions, **{"who": SYSTEM, **options})


def test_event_the_new_version_takes_is_gained_with_the_clause_that_held_it_back(shop):
    taken = make_event(shop, text="bye")
    make_event(shop, text="hi")
    make_event(shop, text="nothing")

    found = compare(flow("event.text == 'hi'"), flow("event.text in ['hi', 'bye']"))

    assert (found.examined, found.matched_before, found.matched_after) == (3, 1, 2)
    assert (found.gained, found.lost, found.lost_examples) == (1, 0, [])
    [example] = found.gained_examples
    assert (example.event, example.instance, example.event_type, example.why) == (
        taken.pk, "shop", "message.text", "event.text == 'hi'")
    assert example.occurred_at == taken.occurred_at


def test_event_the_new_version_refuses_is_lost_with_its_clause(shop):
    lost = make_event(shop, text="bye")

    found = compare(flow(), flow("event.text and event.from_me"))

    assert (found.gained, found.lost) == (0, 1)
    assert [(item.event, item.why) for item in found.lost_examples] == [(lost.pk, "event.from_me")]


def test_kind_that_no_trigger_takes_any_more_is_said(shop):
    make_event(shop)

    found = compare(flow(), flow(event="message.image"))

    assert [item.why for item in found.lost_examples] == ["no trigger takes message.text"]


def test_claim_that_another_workflow_holds_counts(shop):
    switch_on(flow(head="claim: reply\npriority: 5\n").replace("greet", "early"))
    make_event(shop)

    found = compare(flow(), flow(head="claim: reply\n"))

    assert [item.why for item in found.lost_examples] == ["suppressed by early"]
    assert found.others == {}


def test_workflow_that_loses_its_claim_to_the_new_version_is_named(shop):
    switch_on(flow(head="claim: reply\n").replace("greet", "late"))
    for _ in range(2):
        make_event(shop)

    found = compare(flow(), flow(head="claim: reply\npriority: 1\n"))

    assert (found.gained, found.lost, found.others) == (0, 0, {"late": -2})


@pytest.mark.parametrize("fields", [
    {"source": "history"}, {"hop": matching.HOP_LIMIT}, {"event_type": "message.image"}])
def test_event_that_wakes_nothing_is_neither(shop, fields):
    make_event(shop, **fields)

    found = compare(flow("event.from_me"), flow())

    assert (found.examined, found.gained, found.matched_after) == (1, 0, 0)


def test_binding_decides_where_and_with_what_inputs():
    shop, desk, bank = (make_instance(slug) for slug in ("shop", "desk", "bank"))
    head = "inputs: {word: {type: text, default: hi}}\n"
    workflow = make_workflow(flow("event.from_me", head=head))
    bindings.bind(workflow, scope="instance", instance=shop, inputs={"word": "hello"}, actor="t")
    bindings.bind(workflow, scope="instance", instance=desk, actor="t")
    bindings.bind(workflow, scope="instance", instance=bank, enabled=False, actor="t")
    mine = make_event(shop)
    for instance in (desk, bank):
        make_event(instance)

    found = compare(flow("event.from_me", head=head), flow("event.text == inputs.word", head=head),
                    bound=False)

    assert (found.is_bound, found.instances, found.examined) == (True, ["desk", "shop"], 2)
    assert [item.event for item in found.gained_examples] == [mine.pk]


def test_pin_does_not_keep_a_version_from_being_compared(shop):
    workflow = make_workflow(flow("event.from_me"))
    bindings.bind(workflow, scope="global", version=workflow.latest(), actor="t")
    make_event(shop)

    assert compare(flow("event.from_me"), flow(), bound=False).gained == 1


@pytest.mark.parametrize("binding", [None, {"enabled": False}])
def test_workflow_that_is_on_nowhere_is_asked_everywhere(shop, binding):
    workflow = make_workflow(flow("event.from_me"))
    if binding:
        bindings.bind(workflow, scope="global", actor="t", **binding)
    make_event(shop)
    make_event(make_instance("desk"))

    found = compare(flow("event.from_me"), flow(), bound=False)

    assert (found.is_bound, found.instances, found.gained) == (False, ["desk", "shop"], 2)


def test_archived_workflow_is_asked_as_if_it_were_on(shop):
    workflow = switch_on(flow("event.from_me"))
    make_event(shop)
    workflow = make_workflow(flow())
    Workflow.objects.update(archived_at=timezone.now())
    workflow.refresh_from_db()

    found = match_diff.compare(workflow, *(publishing.version_of(workflow, n) for n in (1, 2)),
                               who=SYSTEM)

    assert (found.is_bound, found.gained) == (False, 1)


def test_draft_is_compared_without_being_stored(shop):
    workflow = switch_on(flow("event.from_me"))
    make_event(shop)

    found = match_diff.compare(workflow, workflow.latest(), match_diff.trial(workflow, flow()),
                               who=SYSTEM)

    assert found.gained == 1 and workflow.versions.count() == 1


def test_text_that_does_not_compile_is_an_error(shop):
    workflow = switch_on(flow())

    with pytest.raises(InvalidWorkflow):
        match_diff.compare(workflow, workflow.latest(), match_diff.trial(workflow, "omni: 1\n"),
                           who=SYSTEM)


def test_events_of_instances_the_caller_cannot_see_are_not_asked(shop):
    make_event(shop)
    make_event(make_instance("desk"))
    who = Principal(kind="key", name="key:t", scopes=frozenset(["read"]),
                    instance_ids=frozenset([shop.pk]))

    found = compare(flow("event.from_me"), flow(), who=who)

    assert (found.instances, found.examined, found.gained) == (["shop"], 1, 1)


def test_one_instance_can_be_asked_for(shop):
    make_event(shop)
    make_event(make_instance("desk"))

    assert compare(flow("event.from_me"), flow(), instance=shop).gained == 1


def test_older_events_are_left_out_and_a_cut_is_said(shop):
    make_event(shop, received_at=timezone.now() - timedelta(days=8))
    events = [make_event(shop) for _ in range(3)]

    found = compare(flow("event.from_me"), flow(), most=2)

    assert (found.examined, found.is_cut) == (2, True)
    assert [item.event for item in found.gained_examples] == [events[2].pk, events[1].pk]


def test_all_events_asked_is_no_cut(shop):
    make_event(shop)

    found = compare(flow("event.from_me"), flow(), most=1)

    assert (found.examined, found.is_cut) == (1, False)


def test_examples_are_twenty_at_most_and_the_count_is_whole(shop):
    for _ in range(match_diff.EXAMPLES + 3):
        make_event(shop)

    found = compare(flow("event.from_me"), flow())

    assert (found.gained, len(found.gained_examples)) == (match_diff.EXAMPLES + 3,
                                                          match_diff.EXAMPLES)


def test_now_is_the_moment_the_event_came_in(shop):
    past = timezone.now() - timedelta(days=3)
    make_event(shop, occurred_at=past, received_at=past + timedelta(minutes=5))

    assert compare(flow("event.from_me"), flow("minutes_since(event.occurred_at) < 10")).gained == 1


@pytest.mark.parametrize("where", [
    "event.text == 'hello'", "len(event.subject) == 2", "conversation.is_group",
    "event.media.kind == 'image'", "contact.name == 'Ana'", "event.from_me or event.text"])
def test_comparison_says_what_routing_says(shop, where):
    event = make_event(shop, conversation=make_conversation(shop, kind="group"))
    switch_on(flow("event.event_type == 'never'"))
    workflow = make_workflow(flow(where))

    found = match_diff.compare(workflow, *(publishing.version_of(workflow, n) for n in (1, 2)),
                               who=SYSTEM)

    assert found.gained == len(matching.match(event, matching.table()).matches)


@pytest.mark.parametrize("events", [2, 40])
def test_statements_do_not_grow_with_the_events(shop, events, django_assert_num_queries):
    workflow = switch_on(flow("event.from_me"))
    for number in range(events):
        make_event(shop, conversation=make_conversation(shop, f"c{number}"), media_kind="image")
    newer = match_diff.trial(workflow, flow("conversation.is_group or not event.media"))
    latest = workflow.latest()

    with django_assert_num_queries(8):  # bindings and newest versions twice, instances, is it
        # bound, events with their places and people, attachments
        found = match_diff.compare(workflow, latest, newer, who=SYSTEM)

    assert found.gained == events


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("clause", [
    f"contact.name == '{FOREIGN_NAME}'", f"'{FOREIGN_LABEL}' in contact.labels",
    f"'+{FOREIGN_NUMBER}' in contact.handles"])
def test_contact_counts_as_the_caller_may_see_it(clause, limited):
    person = shared_person()

    found = compare(flow("event.text == 'never'"), flow(f'"{clause}"'), days=366, **(
        {"who": person.limited} if limited else {"instance": person.mine}))

    assert (found.examined, found.gained) == (1, 0 if limited else 1)
