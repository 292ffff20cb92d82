"""Between a match and its run: one row per event and workflow, with its place in line."""

import pytest

from events.models import Event
from registry.engine.route import gates, matching, routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import RoutingDecision, Run
from tests.factories import (
    make_conversation,
    make_event,
    make_instance,
    make_sent,
    make_workflow,
    switch_on,
)
from tests.registry.runs import pass_and_store, work

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
    pass_and_store(passages)
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


GATED = """\
omni: 1
id: gated
trigger: [{{event: message.text}}]
{gate}
steps: [{{set: {{seen: true}}}}, {{stop: done}}]
"""


def gated(gate):
    return switch_on(GATED.format(gate=gate))


def come(shop, **fields):
    return make_event(shop, **{"routed_at": None, "direction": "inbound", **fields})


def verdict(event):
    [considered] = RoutingDecision.objects.get(event=event).considered
    return considered["result"]


def test_burst_is_one_run_that_sees_all_its_events(shop, clock, probe):
    switch_on(GATED.format(gate="debounce: {quiet: 6s, max: 45s}").replace(
        "{stop: done}", '{uses: custom.look, with: {say: "${{ event.batch_text }}/'
        '${{ event.text }}/${{ len(event.batch) }}"}}'))
    place = make_conversation(shop)
    events = [come(shop, text=text, conversation=place) for text in ("one", "two")]
    routing.route()
    clock.forward(seconds=4)
    events.append(come(shop, text="three", conversation=place))
    routing.route()
    work()
    early = list(probe.calls)
    clock.forward(seconds=7)

    work()

    assert early == [] and probe.calls == ["one\ntwo\nthree/three/3"]
    assert [verdict(event) for event in events] == ["matched", "joined", "joined"]
    assert Run.objects.get().event_id == events[-1].pk


def test_bursts_of_different_keys_do_not_mix(shop):
    gated("debounce: {quiet: 6s, key: event.sender_name}")
    for name in ("ana", "bo", "ana"):
        come(shop, sender_name=name)

    routing.route()

    assert sorted(len(run.batch) for run in Run.objects.all()) == [1, 2]


def test_publishing_during_a_burst_changes_nothing_for_it(shop, clock):
    gated("debounce: {quiet: 6s}")
    place = make_conversation(shop)
    come(shop, conversation=place)
    routing.route()
    make_workflow(GATED.format(gate="debounce: {quiet: 9s}\npriority: 8"))
    come(shop, conversation=place)
    routing.route()

    assert [run.version.number for run in Run.objects.all()] == [1]


def test_event_after_the_burst_begins_another(shop, clock):
    gated("debounce: {quiet: 6s}")
    place = make_conversation(shop)
    come(shop, conversation=place)
    routing.route()
    clock.forward(seconds=7)
    work()
    come(shop, conversation=place)

    routing.route()

    assert list(Run.objects.order_by("id").values_list("state", flat=True)) == ["done", "waiting"]


def test_event_that_comes_while_the_run_of_a_burst_sleeps_begins_another(shop, clock):
    switch_on(GATED.format(gate="debounce: {quiet: 6s}").replace(
        "{stop: done}", "{wait: 1h}, {stop: done}"))
    place = make_conversation(shop)
    come(shop, conversation=place)
    routing.route()
    clock.forward(seconds=7)
    work()
    late = come(shop, conversation=place)

    routing.route()

    assert verdict(late) == "matched" and Run.objects.count() == 2


@pytest.mark.parametrize("gate", ["debounce: {quiet: 6s}",
                                  "debounce: {quiet: 6s, key: event.sender_name}"])
@pytest.mark.parametrize("in_conversation", [True, False])
def test_bursts_of_two_accounts_do_not_mix(shop, gate, in_conversation):
    gated(gate)
    for account in (shop, make_instance("other")):
        come(account, sender_name="ana", conversation_ref="c1",
             conversation=make_conversation(account) if in_conversation else None)

    routing.route()

    assert [len(run.batch) for run in Run.objects.all()] == [1, 1]


@pytest.mark.parametrize("gate", [
    "once: {key: event.sender_name}",
    "throttle: {limit: 1, per: 1m, mode: drop, key: event.sender_name}",
    "throttle: {limit: 1, per: 1m, mode: drop}",
    "concurrency: {limit: 1, mode: skip, key: event.sender_name}",
    "concurrency: {limit: 1, mode: skip}",
    "concurrency: {limit: 1, max_queue: 0}"])
def test_what_one_account_uses_up_is_left_to_another(shop, gate):
    gated(gate)
    events = [come(account, sender_name="ana") for account in (shop, make_instance("other"))]

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "matched"]


def test_run_that_hangs_at_one_account_holds_up_no_other(shop):
    switch_on(GATED.format(gate="concurrency: {limit: 1}"))
    come(shop)
    routing.route()
    [hung] = queue.claim("w1", limit=1)
    come(make_instance("other"))
    routing.route()

    [claim] = queue.claim("w2", limit=1)

    assert claim.run_id != hung.run_id


def test_run_that_hangs_in_a_called_workflow_holds_up_no_other_account(shop):
    switch_on(GATED.format(gate="concurrency: {limit: 1}"))
    switch_on("omni: 1\nid: caller\ntrigger: [{event: message.audio}]\n"
              "steps: [{call: {workflow: gated, mode: detach}}]\n")
    for account in (shop, make_instance("other")):
        come(account, event_type="message.audio")
    routing.route()
    for claim in queue.claim("w1", limit=2):
        runner.advance(claim)

    assert len(queue.claim("w2", limit=2)) == 2


@pytest.mark.parametrize(("gate", "said"), [
    ("once: {key: event.sender_name}", "once"),
    ("throttle: {limit: 1, per: 1m, mode: drop, key: event.sender_name}", "throttled")])
def test_run_from_before_accounts_were_counted_apart_counts_for_its_own(shop, gate, said):
    gated(gate)
    come(shop, sender_name="ana")
    routing.route()
    run = Run.objects.get()
    Run.objects.update(**{name: getattr(run, name).replace(f":{shop.pk}:", ":")
                          for name in ("once_key", "throttle_key") if getattr(run, name)})
    events = [come(account, sender_name="ana") for account in (shop, make_instance("other"))]

    routing.route()

    assert [verdict(event) for event in events] == [said, "matched"]


@pytest.mark.parametrize(("gate", "passed"), [
    ("once: {key: event.sender_name}", "matched"),
    ("throttle: {limit: 1, per: 1m, mode: drop, key: event.sender_name}", "matched"),
    ("concurrency: {limit: 1, mode: skip, key: event.sender_name}", "matched"),
    ("debounce: {quiet: 6s, key: event.sender_name}", "matched")])
def test_long_keys_that_begin_alike_stay_apart(shop, gate, passed):
    gated(gate)
    events = [come(shop, sender_name="a" * 300 + last) for last in ("b", "c")]

    routing.route()

    assert [verdict(event) for event in events] == [passed, passed]


@pytest.mark.parametrize("value", ["null", "''", "' '", "[null, null]", "event.content.order",
                                   "[event.content.order, '']"])
def test_key_that_names_nothing_counts_no_two_events_together(shop, value):
    gated(f'once: {{key: "{value}"}}')
    events = [come(shop), come(shop)]

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "matched"]


PART_KEYS = ["[event.sender_name, event.content.order]", "[['a', [event.content.order]], 'b']",
             "['a', '']", "event.content.person"]


@pytest.mark.parametrize("gate", [
    "once: {key: KEY}", "debounce: {quiet: 6s, key: KEY}",
    "throttle: {limit: 1, per: 1m, mode: drop, key: KEY}",
    "concurrency: {limit: 1, mode: skip, key: KEY}"])
@pytest.mark.parametrize("value", PART_KEYS)
def test_key_that_lacks_one_part_counts_no_two_events_together(shop, gate, value):
    gated(gate.replace("KEY", f'"{value}"'))
    events = [come(shop, sender_name="ana", content={"person": {"id": 7, "shop": {"no": None}}})
              for _ in range(2)]

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "matched"]


@pytest.mark.parametrize(("key", "where"), [
    ("event.content.order", "its key is null,"),
    ("[event.sender_name, event.content.order]", "its key is null at [1],"),
    ("event.content", "its key is null at .person.shop.no,"),
    ("[event.content, [null], '', null, null]",
     "its key is null at [0].person.shop.no, [1][0], [2] and more,")])
def test_decision_says_which_part_of_a_key_is_null(shop, key, where):
    gated(f'once: {{key: "{key}"}}')
    event = come(shop, sender_name="ana", content={"person": {"id": 7, "shop": {"no": None}}})

    routing.route()

    assert RoutingDecision.objects.get(event=event).considered[0]["clause"] == (
        f"once: {where} so it counts this event with no other")


@pytest.mark.parametrize("value", ["0", "false", "[]", "['a', 0, false, []]", "'a'"])
def test_key_that_is_little_is_a_key(shop, value):
    gated(f'once: {{key: "{value}"}}')
    events = [come(shop), come(shop)]

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "once"]


def test_once_is_counted_from_runs(shop, clock):
    gated("once: {key: event.sender_name, per: 1h}")
    events = [come(shop, sender_name=name) for name in ("ana", "ana", "bo")]
    routing.route()
    clock.forward(minutes=61)
    events.append(come(shop, sender_name="ana"))

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "once", "matched", "matched"]


def test_once_counts_what_is_done_as_well(shop):
    gated("once: {key: event.sender_name, per: 1h}")
    first = come(shop, sender_name="ana")
    work()
    second = come(shop, sender_name="ana")
    work()

    assert [verdict(event) for event in (first, second)] == ["matched", "once"]


def test_throttle_that_delays_starts_runs_later(shop, clock):
    gated("throttle: {limit: 2, per: 1m}")
    for _ in range(3):
        come(shop)
    work()
    at_once = Run.objects.filter(state="done").count()
    clock.forward(seconds=61)

    work()

    assert at_once == 2 and Run.objects.filter(state="done").count() == 3


def test_throttle_that_drops_says_so(shop):
    gated("throttle: {limit: 1, per: 1m, mode: drop}")
    events = [come(shop), come(shop)]

    routing.route()

    assert [verdict(event) for event in events] == ["matched", "throttled"]
    assert RoutingDecision.objects.get(event=events[1]).considered[0]["clause"].startswith(
        "throttle: 1 in 60 s is reached, free again at ")


def test_throttle_counts_what_passed_last(shop, clock):
    gated("throttle: {limit: 1, per: 1m, mode: drop}")
    events = []
    for seconds in (61, 61, 1):
        clock.forward(seconds=seconds)
        events.append(come(shop))
        routing.route()

    assert [verdict(event) for event in events] == ["matched", "matched", "throttled"]


def test_key_that_cannot_be_computed_refuses_with_its_reason(shop):
    gated("once: {key: len(event.subject)}")
    event = come(shop)

    routing.route()

    assert verdict(event) == "error" and not Run.objects.exists()


@pytest.mark.parametrize(("mode", "states"), [
    ("queue", ["waiting", "waiting", "queued"]), ("skip", ["waiting", "waiting"]),
    ("restart", ["canceled", "waiting", "waiting"])])
def test_concurrency_bounds_what_is_at_work(shop, mode, states):
    switch_on(GATED.format(gate=f"concurrency: {{limit: 2, mode: {mode}}}").replace(
        "{stop: done}", "{wait: 1h}, {stop: done}"))
    for _ in range(3):
        come(shop)
        routing.route()
        for claim in queue.claim("w1", limit=1):
            runner.advance(claim)
    if mode == "queue":  # the third has its place while the others wait
        assert Run.objects.filter(state="waiting").count() == 3
        return

    assert list(Run.objects.order_by("id").values_list("state", flat=True)) == states


def test_place_is_taken_in_the_order_of_tickets_and_given_back_while_waiting(shop):
    switch_on(GATED.format(gate="concurrency: {limit: 1}").replace(
        "{stop: done}", "{wait: 1h}, {stop: done}"))
    for _ in range(3):
        come(shop)
    routing.route()
    taken = []
    while claims := queue.claim("w1", limit=5):
        taken.append(len(claims))
        runner.advance(claims[0])

    assert taken == [1, 1, 1] and Run.objects.filter(state="waiting").count() == 3


def test_no_more_than_the_limit_are_at_work_at_once(shop):
    gated("concurrency: {limit: 2}")
    for _ in range(5):
        come(shop)
    routing.route()

    first, second = queue.claim("w1", limit=5), queue.claim("w2", limit=5)
    runner.advance(first[0])
    third = queue.claim("w2", limit=5)

    assert (len(first), len(second), len(third)) == (2, 0, 1)


def test_ten_answers_a_minute_are_taken_for_a_loop(shop):
    switch_on(SENDER)
    place = make_conversation(shop)
    for number in range(10):
        make_sent(shop, place.ref, run_id=9000 + number)
    event = come(shop, conversation=place, conversation_ref=place.ref)

    routing.route()

    assert verdict(event) == "loop_guard" and not Run.objects.exists()
    assert Event.objects.get(event_type="system.loop.stopped").caused_by_id == event.pk


def test_conversation_stays_silent_for_a_while_after_a_loop(shop, clock):
    switch_on(SENDER)
    place = make_conversation(shop)
    for number in range(10):
        make_sent(shop, place.ref, run_id=9000 + number)
    come(shop, conversation=place, conversation_ref=place.ref)
    routing.route()
    clock.forward(minutes=10)
    quiet = come(shop, conversation=place, conversation_ref=place.ref)
    routing.route()
    clock.forward(minutes=6)
    again = come(shop, conversation=place, conversation_ref=place.ref)

    routing.route()

    assert (verdict(quiet), verdict(again)) == ("loop_guard", "matched")


def test_event_too_deep_in_a_chain_leaves_an_alert(shop):
    switch_on(SENDER)
    come(shop, hop=5)

    routing.route()

    assert Event.objects.filter(event_type="system.loop.stopped").exists()
