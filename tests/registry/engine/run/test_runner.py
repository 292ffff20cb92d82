"""One run at work: steps in order, outcomes stored, and nothing done twice after a crash."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from actions.base import Outcome, done, failed, stop, unavailable
from connections.envelope import OutboundMessage
from events.models import Event, EventAction, OutboxMessage
from omni import failpoints
from omni.errors import (
    BreakerOpen,
    InvalidParams,
    NotConfigured,
    NotSent,
    RateLimited,
    UnknownOutcome,
)
from registry.engine.run import runner
from registry.engine.waits import endings
from registry.models import Run
from tests.factories import (
    ANA,
    make_conversation,
    make_event,
    make_instance,
    make_sent,
    make_workflow,
)
from tests.registry.runs import Crash, advance, crash, outcomes

pytestmark = pytest.mark.django_db


def test_steps_run_in_order_and_each_leaves_an_outcome(start, probe):
    run = advance(start("""
- id: first
  uses: custom.look
  with: {say: one}
- uses: custom.look
  with: {say: "${{ steps.first.output.said }} two"}
"""))

    assert (run.state, run.reason) == ("done", "")
    assert probe.calls == ["one", "one two"]
    assert outcomes(run) == [("steps[0]", 1, "done"), ("steps[1]", 1, "done")]
    row = EventAction.objects.filter(run_id=run.pk).earliest("id")
    assert (row.step_id, row.action, row.input, row.output) == (
        "first", "custom.look", {"say": "one"}, {"said": "one"})


def test_step_whose_condition_is_false_is_skipped_with_its_text(start, probe):
    run = advance(start("""
- uses: custom.look
  if: event.text == 'bye'
"""))

    row = EventAction.objects.get(run_id=run.pk)
    assert (run.state, row.status, row.reason) == ("done", "skipped",
                                                   "not true: event.text == 'bye'")
    assert probe.calls == []


def test_guard_that_stops_ends_the_run_as_ignored(start, probe):
    probe.answers = [stop("not now")]

    run = advance(start("""
- uses: custom.look
- uses: custom.look
"""))

    assert (run.state, run.reason) == ("ignored", "not now") and len(probe.calls) == 1


@pytest.mark.parametrize(("status", "state"), [
    ("done", "done"), ("ignored", "ignored"), ("failed", "failed")])
def test_stop_ends_the_run_as_it_says(start, probe, status, state):
    run = advance(start(f"""
- stop: {{status: {status}, reason: "saw ${{{{ event.text }}}}"}}
- uses: custom.look
"""))

    assert (run.state, run.reason, probe.calls) == (state, "saw hello", [])


@pytest.mark.parametrize(("error", "code"), [
    (InvalidParams("wrong"), "invalid_params"), (NotSent("no line"), "not_sent"),
    (UnknownOutcome("no answer"), "unknown_outcome"), (ZeroDivisionError("bug"), "error"),
    (BreakerOpen("left alone", retry_after=9.0), "breaker_open"),
    (NotConfigured("no key", setting="OMNI_LLM_API_KEY"), "not_configured")])
def test_error_of_a_step_fails_the_run_with_its_reason(start, probe, error, code):
    probe.answers = [error]

    run = advance(start("- uses: custom.look"))

    assert (run.state, run.code) == ("failed", code)
    assert str(error) in run.reason


def test_failed_run_is_an_event(start, probe):
    probe.answers = [failed("no luck", code="odd")]

    run = advance(start("- {id: attempt, uses: custom.look}"))

    alert = Event.objects.get(event_type="workflow.failed")
    assert alert.caused_by_id == run.event_id and alert.content["code"] == "odd"
    assert alert.text == run.reason == "attempt: no luck"


def test_on_error_continue_goes_on(start, probe):
    probe.answers = [failed("no luck", code="odd")]

    run = advance(start("""
- {id: attempt, uses: custom.look, on_error: continue}
- uses: custom.look
  with: {say: "${{ steps.attempt.error.code }} ${{ steps.attempt.status }}"}
"""))

    assert run.state == "done" and probe.calls[1] == "odd failed"


def test_on_error_steps_run_and_then_the_run_goes_on(start, probe):
    probe.answers = [failed("no luck", code="odd")]

    run = advance(start("""
- uses: custom.look
  on_error:
    - uses: custom.look
      with: {say: "${{ error.message }}"}
- uses: custom.look
  with: {say: after}
"""))

    assert run.state == "done" and probe.calls == [None, "no luck", "after"]


def test_workflows_own_on_error_runs_and_the_failure_stands(start, probe):
    probe.answers = [failed("no luck", code="odd")]

    run = advance(start("- uses: custom.look", head="""
on_error:
  - uses: custom.look
    with: {say: "${{ error.code }}"}"""))

    assert (run.state, run.code, probe.calls) == ("failed", "odd", [None, "odd"])


def test_workflows_own_on_error_may_end_the_run_otherwise(start, probe):
    probe.answers = [failed("no luck")]

    run = advance(start("- uses: custom.look", head="""
on_error:
  - stop: {status: done, reason: handled}"""))

    assert (run.state, run.reason) == ("done", "handled")


RETRIED = "- {uses: custom.look, retry: {max: 2, delay: 5s, backoff: fixed, jitter: false}}"


def test_failed_step_is_tried_again_after_its_delay(start, probe):
    probe.answers = [failed("away", code="not_sent")]
    run = advance(start(RETRIED))

    waiting = run.state, run.available_at - timezone.now()
    advance(run)

    assert waiting[0] == "queued" and timedelta(seconds=3) < waiting[1] < timedelta(seconds=6)
    assert run.state == "done" and len(probe.calls) == 2
    assert outcomes(run) == [("steps[0]", 1, "failed"), ("steps[0]", 2, "done")]


def test_tries_end_at_the_maximum(start, probe):
    probe.answers = [failed("away", code="not_sent")] * 5
    run = start(RETRIED)

    for _ in range(3):
        advance(run)

    assert (run.state, len(probe.calls)) == ("failed", 3)


def test_other_side_decides_how_long_to_wait(start, probe):
    probe.answers = [RateLimited("slow down", retry_after=120)]

    run = advance(start(RETRIED))

    assert run.available_at - timezone.now() > timedelta(seconds=110)


@pytest.mark.parametrize("outcome", [
    Outcome("unknown", {}, "maybe", "unknown_outcome"), failed("wrong", code="invalid"),
    failed("no", code="denied"), unavailable("no key")])
def test_what_must_not_be_repeated_is_tried_once(start, probe, outcome):
    probe.answers = [outcome]

    run = advance(start(RETRIED))

    assert run.state == "failed" and len(probe.calls) == 1


def test_steps_before_a_retry_are_not_done_again(start, probe):
    probe.answers = [Outcome("done", {"said": "kept"}), failed("away", code="not_sent")]
    run = advance(start(f"""
- {{id: first, uses: custom.look}}
{RETRIED}
- uses: custom.look
  with: {{say: "${{{{ steps.first.output.said }}}}"}}
"""))

    advance(run)

    assert run.state == "done" and probe.calls == [None, None, None, "kept"]


@pytest.mark.parametrize("effect", ["custom.change", "custom.send"])
def test_crash_in_a_later_step_does_not_repeat_a_recorded_one(start, probe, effect):
    probe.answers = [Outcome("done", {"said": "kept"}), Crash()]
    run = start(f"""
- {{id: first, uses: {effect}}}
- {{uses: custom.change, with: {{say: "${{{{ steps.first.output.said }}}}"}}}}
""")

    crash(run)
    advance(run)

    assert run.state == "done" and probe.calls == [None, "kept", "kept"]
    assert outcomes(run) == [("steps[0]", 1, "done"), ("steps[1]", 1, "done")]


@pytest.mark.parametrize("place", ["attempt.committed", "call.answered", "outcome.committed"])
def test_crash_in_a_send_repeats_neither_it_nor_what_came_before(start, probe, monkeypatch, place):
    def die(name, reached=failpoints.hit):
        if name == place and not Run.objects.get().deaths:
            raise Crash
        reached(name)

    def send(event, context):
        message = OutboundMessage(kind="text", to=ANA, text="hi")
        return done(sent=context.deliver(message, context.effect(0)).state)

    monkeypatch.setattr(failpoints, "hit", die)
    probe.answers = [Outcome("done", {"said": "kept"}), send, send]
    run = start("""
- {id: first, uses: custom.change}
- {id: sent, uses: custom.send, with: {say: "${{ steps.first.output.said }}"}}
""")

    crash(run)
    before = outcomes(run)
    advance(run)

    assert before == [("steps[0]", 1, "done")] and probe.calls == [None, "kept", "kept"]
    assert run.state == "done" and OutboxMessage.objects.get().attempts == 1


def test_step_keeps_its_effect_key_over_a_crash(start, probe):
    probe.answers = [Crash()]
    run = start("- uses: custom.send")

    crash(run)
    advance(run)

    keys = [context.effect(0) for context in probe.contexts]
    assert keys == [f"omni:{run.pk}:steps[0]:0"] * 2


@pytest.mark.parametrize(("to", "elsewhere"), [(ANA, False), ("bea", False), (ANA, True)])
def test_send_is_filed_under_the_conversation_it_goes_to(start, probe, to, elsewhere):
    shop, desk = make_instance(), make_instance("desk")
    place = make_conversation(shop)

    def send(event, context):
        context.deliver(OutboundMessage(kind="text", to=to, text="hi"), context.effect(0),
                        **({"instance": desk} if elsewhere else {}))
        return done()

    probe.answers = [send]
    advance(start("- uses: custom.send", event=make_event(
        shop, conversation=place, conversation_ref=ANA)))

    found = OutboxMessage.objects.get().conversation
    assert (found.ref, found.instance) == (to, desk if elsewhere else shop)
    assert (found == place) is (to == ANA and not elsewhere)


def test_branch_keeps_its_arm_over_a_crash(start, probe):
    event = make_event(make_instance(), text="red")
    probe.answers = [Crash()]
    run = start("""
- branch:
    - if: event.text == 'red'
      do: [{uses: custom.change, with: {say: red}}]
    - else: [{uses: custom.change, with: {say: other}}]
""", event=event)
    crash(run)
    Event.objects.filter(pk=event.pk).update(text="blue")

    advance(run)

    assert run.state == "done" and probe.calls == ["red", "red"]


def test_branch_without_a_fitting_arm_goes_on(start, probe):
    run = advance(start("""
- branch:
    - if: event.text == 'red'
      do: [{uses: custom.look}]
- uses: custom.look
  with: {say: after}
"""))

    assert run.state == "done" and probe.calls == ["after"]


def test_named_values_are_seen_again_after_a_crash(start, probe):
    probe.answers = [Crash()]
    run = start("""
- set: {color: "${{ event.text }}"}
- {uses: custom.change, with: {say: "${{ vars.color }}"}}
""")

    crash(run)
    advance(run)

    assert probe.calls == ["hello", "hello"]


def test_moment_of_a_run_is_the_same_on_every_walk(start, probe):
    probe.answers = [Crash()]
    run = start('- {uses: custom.change, with: {say: "${{ now }}"}}')

    crash(run)
    advance(run)

    assert probe.calls[0] == probe.calls[1] != ""


def test_run_that_was_taken_over_stops_without_writing(start, probe):
    run = start("""
- uses: custom.change
- uses: custom.change
""")

    def lose(event, context):
        Run.objects.filter(pk=run.pk).update(token=99, lease_owner="w2")
        return Outcome("done")

    probe.answers = [lose]
    advance(run)

    assert (run.state, run.token, run.lease_owner) == ("running", 99, "w2")
    assert len(probe.calls) == 1 and outcomes(run) == []


def test_canceled_run_does_nothing_more(start, probe):
    run = start("""
- uses: custom.change
- uses: custom.change
""")
    probe.answers = [lambda event, context: endings.cancel_by("ana", run) or Outcome("done")]

    advance(run)

    assert run.state == "canceled" and len(probe.calls) == 1


def test_run_whose_time_is_up_fails(start, probe):
    run = advance(start("- uses: custom.look",
                        deadline=timezone.now() - timedelta(seconds=1)))

    assert (run.state, run.code, probe.calls) == ("failed", "timeout", [])


def test_version_that_does_not_compile_any_more_fails_with_its_reason(start, probe, monkeypatch):
    from omni.errors import InvalidWorkflow
    from omni.yaml.profile import Problem

    run = start("- uses: custom.look")

    def refuse(*_):
        raise InvalidWorkflow([Problem(1, 1, "unknown_action", "gone")])

    monkeypatch.setattr(runner.matching, "compiled", refuse)

    advance(run)

    assert (run.state, run.code) == ("failed", "invalid_workflow") and "gone" in run.reason


def test_run_uses_the_version_it_started_on(start, probe):
    run = start("- {uses: custom.look, with: {say: old}}")
    make_workflow("omni: 1\nid: probed\ntrigger: [{event: message.text}]\n"
                  "steps: [{uses: custom.look, with: {say: new}}]\n")

    advance(run)

    assert probe.calls == ["old"]


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"])
def test_output_no_column_can_hold_is_kept_without_the_odd_character(start, probe, odd):
    probe.answers = [Outcome("done", {"said": [odd]})]

    run = advance(start("- uses: custom.look"))

    assert run.state == "done"
    assert EventAction.objects.get(run_id=run.pk).output == {"said": ["a\ufffdb"]}


def test_reason_no_column_can_hold_is_kept_without_the_odd_character(start, probe):
    probe.answers = [failed("a\x00b")]

    run = advance(start("- uses: custom.look"))

    assert run.state == "failed" and "a\ufffdb" in run.reason


def test_wrong_parameters_are_named(start, probe):
    run = advance(start("""
- uses: guard.debounce
  with: {seconds: "${{ event.text }}"}
"""))

    assert (run.state, run.code) == ("failed", "invalid")
    assert "with.seconds" in run.reason


@pytest.mark.parametrize(("store", "kept"), [
    ("full", {"say": "secret words"}), ("meta", {"say": "[str]"}), ("none", None)])
def test_trace_keeps_as_much_of_the_input_as_the_step_says(start, probe, store, kept):
    run = advance(start(f"- {{uses: custom.look, with: {{say: secret words}}, store: {store}}}"))

    assert EventAction.objects.get(run_id=run.pk).input == kept


@pytest.mark.parametrize("error", [OperationalError("server closed the connection"),
                                   InterfaceError("connection already closed")])
def test_database_that_is_away_for_a_moment_fails_no_step(start, probe, error):
    probe.answers = [error]
    run = start("- uses: custom.look")
    with pytest.raises(type(error)):
        advance(run)
    left = outcomes(run)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    endings.sweep()

    advance(run)

    assert left == [] and outcomes(run) == [("steps[0]", 1, "done")]
    assert (run.state, len(probe.calls)) == ("done", 2)


def test_run_that_lost_a_worker_tells_in_which_step_it_dies(start, probe):
    probe.answers = [Crash(), Outcome("done"), Crash(), Crash(), Crash()]
    run = start("- uses: custom.look\n- uses: custom.look")

    for _ in range(4):  # once in the first step, which ends the second time
        crash(run)

    run.refresh_from_db()
    assert run.state == "dead"
    assert run.reason.startswith("the worker died 3 times in a row at steps[1]")


@pytest.mark.parametrize(("steps", "asked"), [
    ("- {uses: custom.look}\n- {uses: custom.change}\n- {uses: custom.send}", 1),
    ("- {uses: custom.look}\n- {uses: custom.change}", 2)])
def test_conversation_that_loops_is_found_out_before_the_first_effect(start, probe, steps, asked):
    """Of a run that answers: it was routed before the others had sent."""
    shop = make_instance()
    event = make_event(shop, conversation_ref=ANA, direction="inbound")
    run = start(steps, event=event, created_at=timezone.now() - timedelta(seconds=5))
    for number in range(10):
        make_sent(shop, run_id=10_000 + number, caused_by=event)

    advance(run)

    assert len(probe.calls) == asked
    assert run.code == ("loop_guard" if asked == 1 else "")
