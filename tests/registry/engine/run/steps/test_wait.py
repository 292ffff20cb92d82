"""`wait`: for a time, until a moment, for an event; nothing is lost in between."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry.engine.route import routing
from registry.engine.waits import endings, waits
from registry.models import Run, Wait
from tests.factories import make_conversation, make_event, make_instance, switch_on
from tests.registry.runs import Crash, advance, crash, output_of, work

pytestmark = pytest.mark.django_db


def come(event, **fields):
    """One more event in the place of `event`, not routed yet."""
    return make_event(event.instance, **{
        "conversation": event.conversation, "routed_at": None, "direction": "inbound", **fields})


@pytest.fixture
def place():
    """A text event in a conversation."""
    shop = make_instance()
    return make_event(shop, conversation=make_conversation(shop), direction="inbound")


@pytest.mark.parametrize(("wait", "seconds"), [
    ("30d", 30 * 86_400), ("{for: 2h}", 7_200),
    ("{until: \"add_hours(now, 1)\"}", 3_600)])
def test_run_sleeps_until_its_time_has_come(start, probe, wait, seconds):
    run = advance(start(f"- wait: {wait}\n- uses: custom.look"))
    asleep = run.state, (run.available_at - run.started_at).total_seconds()
    advance(run)

    assert asleep == ("waiting", pytest.approx(seconds, abs=2))
    assert (run.state, len(probe.calls)) == ("done", 1)
    assert output_of(run, "steps[0]") == {"outcome": "elapsed", "event": None}


@pytest.mark.parametrize("until", ["add_hours(now, -1)", "event.received_at"])
def test_moment_that_is_over_is_not_waited_for(start, probe, until):
    run = advance(start(f"- wait: {{until: \"{until}\"}}"))

    assert run.state == "done" and not Wait.objects.exists()


def test_moment_that_is_null_fails_with_its_expression(start):
    run = advance(start("- wait: {until: event.subject}"))

    assert run.state == "failed" and "wait.until is null: event.subject" in run.reason


def test_run_is_not_woken_before_its_time(start):
    run = advance(start("- wait: 1h"))

    work()
    run.refresh_from_db()

    assert run.state == "waiting"


REPLY = """
- uses: custom.send
- id: reply
  wait:
    event: message.*
    match: {conversation: "${{ conversation.id }}", direction: inbound}
    where: len(event.text) > vars.least
    timeout: 24h
- uses: custom.look
  with: {say: "${{ steps.reply.output.outcome }} ${{ steps.reply.output.event.text }}"}
"""


def test_event_that_fits_wakes_the_run_and_is_its_output(start, probe, place):
    run = advance(start(REPLY, head="vars: {least: 3}", event=place))
    come(place, text="no")
    come(place, text="from elsewhere", conversation=None)
    come(place, text="outbound", direction="outbound")
    come(place, text="yes please")

    work()
    run.refresh_from_db()

    assert (run.state, probe.calls[1]) == ("done", "event yes please")


def test_deadline_of_an_event_is_a_timeout(start, probe, place):
    run = advance(start(REPLY, head="vars: {least: 3}", event=place))

    advance(run)

    assert (run.state, probe.calls[1]) == ("done", "timeout ")


def test_run_does_not_wait_for_what_it_sent_itself(start, place):
    run = advance(start(REPLY, head="vars: {least: 0}", event=place))
    come(place, client_ref=f"omni:{run.pk}:steps[0]:0")

    work()
    run.refresh_from_db()

    assert run.state == "waiting"


def test_first_fitting_event_counts(start, probe, place):
    run = advance(start(REPLY, head="vars: {least: 0}", event=place))
    come(place, text="first")
    come(place, text="second")

    work()
    run.refresh_from_db()

    assert probe.calls[1] == "event first"


@pytest.mark.parametrize("fields", [{"event_type": "message.reaction"}, {"content": {"n": "many"}}],
                         ids=["of another type", "with what cannot be compared"])
def test_event_that_is_not_waited_for_wakes_nobody(start, place, fields):
    run = advance(start("- wait: {event: message.text, where: event.content.n > 5}", event=place))

    come(place, **{"content": {"n": 6}, **fields})
    routing.route()
    run.refresh_from_db()

    assert run.state == "waiting"


def test_event_that_was_stored_before_the_wait_and_is_routed_after_it_wakes_nobody(start, place):
    run = start("- wait: {event: message.text, since: step}", event=place)
    come(place)

    advance(run)
    routing.route()
    run.refresh_from_db()

    assert run.state == "waiting"


@pytest.mark.parametrize(("since", "woken"), [("trigger", True), ("step", False)])
def test_event_that_came_before_the_wait_counts_since_the_trigger(start, place, since, woken):
    run = start(f"""
- wait:
    event: message.text
    match: {{conversation: "${{{{ conversation.id }}}}"}}
    since: {since}
""", event=place)
    come(place)
    routing.route()

    advance(run)

    assert (run.state == "queued") is woken


def test_event_that_was_routed_before_the_wait_could_be_seen_is_found(start, place, monkeypatch):
    """The event comes between the worker's look at the clock and its commit."""
    stored = waits.store

    def store(rows):
        monkeypatch.undo()
        come(place)
        routing.route()
        return stored(rows)

    run = start("- wait: {event: message.text}", event=place)
    monkeypatch.setattr(waits, "store", store)

    advance(run)

    assert run.state == "queued" and Wait.objects.get().state == "settled"


def test_wait_whose_worker_died_before_it_looked_is_looked_for_later(start, place, clock):
    run = advance(start("- wait: {event: message.text}", event=place))
    Wait.objects.update(looked=False)
    come(place, routed_at=timezone.now())
    clock.forward(seconds=10)

    endings.look(waits.unlooked(seconds=5))
    run.refresh_from_db()

    assert run.state == "queued" and waits.unlooked(seconds=0) == []


def test_event_that_comes_while_another_arm_is_at_work_is_not_lost(start, probe, place):
    """The run is running when its wait is settled."""
    run = advance(start("""
- parallel:
    left: [{wait: {event: message.text, match: {text: now}}}]
    right: [{wait: 1m}, {uses: custom.send}, {wait: 1h}]
""", event=place))

    def answer(event, context):
        come(place, text="now")
        routing.route()
        from actions.base import done
        return done()

    probe.answers = [answer]
    advance(run)

    assert run.state == "queued"


def test_crash_while_asleep_changes_nothing(start, probe):
    probe.answers = [Crash()]
    run = advance(start("- wait: 1h\n- uses: custom.send"))
    crash(run)

    advance(run)

    assert run.state == "done" and len(probe.calls) == 2
    assert Wait.objects.get().state == "closed"


CANCELED = """\
omni: 1
id: nudge
trigger: [{event: message.text, where: event.direction == 'outbound'}]
cancel_on: [{event: message.*, match: {conversation: "${{ conversation.id }}", direction: inbound}}]
steps:
  - wait: 24h
  - stop: done
"""


@pytest.fixture
def nudged(place):
    switch_on(CANCELED)
    come(place, direction="outbound")
    work()
    return Run.objects.get()


def test_event_of_cancel_on_ends_the_run_with_its_reason(nudged, place):
    come(place, text="hi")

    work()
    nudged.refresh_from_db()

    assert (nudged.state, nudged.code) == ("canceled", "cancel_on")
    assert not Wait.objects.exclude(state="closed").exists()


def test_event_that_does_not_fit_cancels_nothing(nudged, place):
    come(place, direction="outbound", client_ref=f"omni:{nudged.pk}:steps[0]:0")
    come(place, conversation=None)

    work()
    nudged.refresh_from_db()

    assert nudged.state == "waiting"


def test_event_of_the_same_batch_cancels_as_well(place):
    switch_on(CANCELED)
    come(place, direction="outbound")
    come(place, text="at once")

    work()

    assert Run.objects.get().state == "canceled"


def test_run_asleep_past_its_deadline_fails(start):
    run = advance(start("- wait: 10d", head="timeout: 5d"))
    Run.objects.filter(pk=run.pk).update(deadline=run.available_at)
    advance(run)

    assert (run.state, run.code) == ("failed", "timeout")


@pytest.mark.parametrize("wait", ["{event: message.text}", "2h", "{event: message.text, "
                                  "timeout: 2h}"])
def test_run_that_sleeps_past_its_deadline_fails_at_it(start, place, wait):
    run = advance(start(f"- wait: {wait}", event=place,
                        deadline=timezone.now() + timedelta(hours=1)))
    asleep = run.state, run.available_at

    advance(run)

    assert asleep == ("waiting", run.deadline)
    assert (run.state, run.code) == ("failed", "timeout")


def test_condition_of_a_step_is_not_asked_again_when_its_wait_is_over(start, place):
    run = advance(start("- {if: \"conversation.title == 'open'\", wait: 1h}",
                        event=titled(place, "open")))
    titled(place, "shut")

    advance(run)

    assert output_of(run, "steps[0]") == {"outcome": "elapsed", "event": None}


def titled(event, title):
    event.conversation.title = title
    event.conversation.save()
    return event


@pytest.mark.parametrize("looks", [True, False])
def test_event_of_another_account_settles_no_wait(start, place, looks):
    """looks: it was there before the wait could be seen."""
    run = start("- wait: {event: message.text, match: {text: now}, since: trigger}", event=place)
    other = make_instance("other")
    if looks:
        make_event(other, text="now")
    advance(run)
    make_event(other, text="now", routed_at=None)

    work()
    run.refresh_from_db()

    assert run.state == "waiting" and Wait.objects.get().state == "open"


def test_wait_is_settled_once(start, place):
    advance(start("- wait: {event: message.text}", event=place))
    wait = Wait.objects.get()

    settled = [waits.settle(wait.pk, {"event": {"text": text}}) for text in ("first", "second")]

    wait.refresh_from_db()
    assert settled == [True, False] and wait.result == {"event": {"text": "first"}}


def test_wait_for_what_is_missing_is_not_settled_by_what_came_before_it(start, place):
    run = start("- wait: {event: message.text, match: {subject: \"${{ event.subject }}\"}, "
                "since: trigger}", event=place)
    come(place, routed_at=timezone.now())

    advance(run)

    assert run.state == "waiting" and Wait.objects.get().looked
