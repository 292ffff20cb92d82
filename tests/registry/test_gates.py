"""Between a match and its run: one row per event and workflow, with its place in line."""

import pytest

from registry import gates, matching, queue
from registry.models import Run
from tests.factories import make_conversation, make_event, make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db
SENDER = """\
omni: 1
id: sender
priority: 7
timeout: 2h
inputs:
  word: {type: text, default: hi}
trigger: [{event: message.text}]
steps:
  - uses: route.reply
    with: {text: "${{ inputs.word }}"}
"""


def matches_of(*events):
    on = matching.table()
    return [(event, effective) for event in events
            for effective in matching.match(event, on).matches]


def open_runs(*events):
    """{(event id, workflow id): run id} of what passed the gates."""
    passages = gates.approach(matches_of(*events))
    queue.lock_slots(key for passage in passages for key in passage.keys)
    gates.pass_through(passages, now=queue.now())
    return {(passage.event.pk, passage.effective.workflow_id): passage.run_id
            for passage in passages if passage.run_id is not None}


@pytest.fixture
def shop():
    return make_instance()


def test_no_match_opens_no_run():
    assert open_runs() == {} and not Run.objects.exists()


def test_run_takes_what_the_binding_says_at_this_moment(shop):
    workflow = switch_on(SENDER, inputs={"word": "olá"}, priority=3)
    event = make_event(shop)

    opened = open_runs(event)

    run = Run.objects.get()
    assert opened == {(event.pk, workflow.pk): run.pk}
    assert (run.inputs, run.priority, run.state, run.token) == ({"word": "olá"}, 3, "queued", 0)
    assert 7190 < (run.deadline - run.created_at).total_seconds() < 7210


def test_runs_are_numbered_in_the_order_of_their_events(shop):
    switch_on(SENDER)
    events = [make_event(shop) for _ in range(5)]

    open_runs(*events)

    assert list(Run.objects.order_by("id").values_list("event", flat=True)) == [
        event.pk for event in events]


def test_match_that_has_a_run_keeps_it_whatever_was_published(shop):
    switch_on(SENDER)
    event = make_event(shop)
    open_runs(event)
    make_workflow(SENDER.replace("priority: 7", "priority: 8"))

    assert open_runs(event) == {} and Run.objects.get().version.number == 1


@pytest.mark.parametrize(("route", "in_conversation", "ordered"), [
    ("route.reply", True, True), ("route.reply", False, False), (None, True, False)])
def test_runs_that_send_stand_in_line_with_their_conversation(shop, route, in_conversation,
                                                              ordered):
    text = SENDER if route else SENDER.split("steps:")[0] + "steps: [{stop: done}]\n"
    workflow = switch_on(text)
    place = make_conversation(shop) if in_conversation else None

    open_runs(make_event(shop, conversation=place))

    assert Run.objects.get().slot_key == (
        f"{workflow.pk}:conversation:{place.pk}" if ordered else None)
