"""Runs: what steps come to, how a run resumes, retries, fails and ends."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from actions import base, library
from actions.base import Outcome, Output, Params, action, done, stop
from connections.envelope import SendResult
from events.models import Event, EventAction, OutboxMessage
from omni.errors import NotConfigured, RateLimited
from registry import queue, runner
from registry.models import Run
from tests.factories import make_event, make_instance, make_run, make_workflow

pytestmark = pytest.mark.django_db
CALLS: Counter[str] = Counter()
HEAD = "omni: 1\nid: tried\ntrigger: [{event: message.text}]\n"


class SayParams(Params):
    text: str = ""


class BadParams(Params):
    """How the step goes wrong; times: tries that do."""

    code: str = "timeout"
    status: str = "failed"
    times: int = 99


def _declare_actions():
    @action("transform.test_echo", params=SayParams, output=Output)
    def echo(event, params, context):
        """Say what was given."""
        CALLS[params.text] += 1
        return done(text=params.text, attempt=context.attempt)

    @action("transform.test_bad", params=BadParams, output=Output)
    def bad(event, params, context):
        """Go wrong as told."""
        CALLS["bad"] += 1
        if CALLS["bad"] > params.times:
            return done(tries=CALLS["bad"])
        return Outcome(params.status, {}, "went wrong", params.code)

    @action("transform.test_raise", params=SayParams, output=Output)
    def raising(event, params, context):
        """Raise the error that is named."""
        raise {"bug": ZeroDivisionError("by zero"),
               "unset": NotConfigured("fill in X", setting="X"),
               "limited": RateLimited("slower", retry_after=70)}[params.text]

    @action("guard.test_no", output=Output)
    def refusing(event, params, context):
        """Let nothing pass."""
        return stop("not today")

    @action("meta.test_tell", params=SayParams, output=Output, effects="send")
    def tell(event, params, context):
        """Do one outward act; the text says what it comes to."""
        told = context.perform(context.effect(0), kind="http", recipient="peer",
                               request={"text": params.text}, call=_peer(params.text))
        if told.state == "succeeded":
            return done(duplicate=told.duplicate)
        code = "unknown" if told.state == "unknown" else told.error_code
        return Outcome("unknown" if told.state == "unknown" else "failed", {}, told.error, code)


def _peer(state):
    def call(key):
        CALLS["told"] += 1
        CALLS["on disk"] = EventAction.objects.count()
        return SendResult(state, error="cut off" if state != "succeeded" else "",
                          error_code="timeout" if state != "succeeded" else "")
    return call


@pytest.fixture(autouse=True)
def test_actions():
    known = set(base.DECLARED)
    _declare_actions()
    library.actions.cache_clear()
    CALLS.clear()
    yield
    for name in set(base.DECLARED) - known:
        if ".test_" in name:
            del base.DECLARED[name]
    library.actions.cache_clear()


def start(steps, head="", **fields):
    """A queued run of a workflow with these steps."""
    text = HEAD + head + "steps:\n" + "".join(f"  {line}\n" for line in steps.splitlines())
    return make_run(make_event(make_instance()), workflow=make_workflow(text), **fields)


def take(run):
    """Make the run due and claim it."""
    Run.objects.filter(pk=run.pk).update(available_at=timezone.now() - timedelta(seconds=1))
    [claim] = queue.claim("worker:1", limit=1)
    return claim


def go(run):
    """One walk; the run as it is afterwards."""
    runner.advance(take(run))
    return Run.objects.get(pk=run.pk)


def take_over(run):
    """The worker of a running run was lost."""
    Run.objects.filter(pk=run.pk).update(
        state="running", lease_until=timezone.now() - timedelta(seconds=1))
    queue.sweep()


def rows(run):
    return [(row.path, row.attempt, row.status) for row in EventAction.objects.filter(
        run_id=run.pk).order_by("id")]


def wait_of(run):
    return (run.available_at - timezone.now()).total_seconds()


def test_steps_run_in_order_and_the_run_is_done():
    run = start('- {id: one, uses: transform.test_echo, with: {text: "a"}}\n'
                '- set: {said: "${{ steps.one.output.text }}!"}\n'
                '- {uses: transform.test_echo, with: {text: "${{ vars.said }}"}}')

    run = go(run)

    assert (run.state, run.reason, run.lease_until) == ("done", "", None)
    assert list(CALLS) == ["a", "a!"]
    assert rows(run) == [(f"steps[{n}]", 1, "done") for n in range(3)]


def test_outcome_keeps_what_the_step_was_given_and_gave():
    go(start('- {id: one, uses: transform.test_echo, with: {text: "${{ event.text }}"}}'))

    row = EventAction.objects.get()
    assert (row.input, row.output) == ({"text": "hello"}, {"text": "hello", "attempt": 1})
    assert (row.step_id, row.action, row.workflow, row.final, row.token) == (
        "one", "transform.test_echo", "tried", True, 1)


@pytest.mark.parametrize(("store", "kept"), [("full", {"text": "a"}), ("meta", {"text": "[str]"}),
                                             ("none", None)])
def test_store_says_how_much_of_the_input_is_kept(store, kept):
    go(start(f"- {{uses: transform.test_echo, with: {{text: a}}, store: {store}}}"))

    assert EventAction.objects.get().input == kept


def test_step_whose_condition_is_false_is_skipped_and_reads_as_null():
    run = go(start("- {id: one, if: event.from_me, uses: transform.test_echo, with: {text: a}}\n"
                   '- if: steps.one == null\n  set: {seen: true}'))

    assert rows(run) == [("steps[0]", 1, "skipped"), ("steps[1]", 1, "done")]
    skipped = EventAction.objects.earliest("id")
    assert (skipped.code, skipped.reason) == ("condition", "not true: event.from_me")
    assert not CALLS


@pytest.mark.parametrize(("step", "state", "reason"), [
    ("stop: done", "done", "stopped at steps[0]"),
    ("stop: {status: ignored, reason: not for us}", "ignored", "not for us"),
    ('stop: {status: failed, reason: "no ${{ event.text }}"}', "failed", "no hello"),
])
def test_stop_ends_the_run_as_it_says(step, state, reason):
    run = go(start(f"- {step}\n- {{uses: transform.test_echo, with: {{text: after}}}}"))

    assert (run.state, run.reason, run.code) == (state, reason, "stopped")
    assert not CALLS


def test_guard_that_says_no_ends_the_run_as_ignored():
    run = go(start("- uses: guard.test_no\n- {uses: transform.test_echo, with: {text: after}}"))

    assert (run.state, run.reason, run.code) == ("ignored", "not today", "stopped")
    assert rows(run) == [("steps[0]", 1, "stopped")] and not CALLS


@pytest.mark.parametrize(("text", "status", "code", "reason"), [
    ("bug", "failed", "error", "ZeroDivisionError: by zero"),
    ("unset", "unavailable", "not_configured", "fill in X"),
    ("limited", "failed", "rate_limited", "slower"),
])
def test_step_that_raises_fails_the_run_with_the_reason(text, status, code, reason):
    run = go(start(f"- {{id: one, uses: transform.test_raise, with: {{text: {text}}}}}"))

    assert (run.state, run.code, run.reason) == ("failed", code, f"one: {reason}")
    assert rows(run) == [("steps[0]", 1, status)]


def test_failed_run_is_an_event_of_its_own():
    run = go(start("- {uses: transform.test_raise, with: {text: bug}}"))

    alert = Event.objects.get(event_type="system.run.failed")
    assert (alert.caused_by_id, alert.hop) == (run.event_id, 1)
    assert alert.content["workflow"] == "tried" and alert.trace_id == run.event.trace_id


def test_parameter_of_the_wrong_type_is_the_steps_failure():
    run = go(start('- {uses: transform.test_bad, with: {times: "${{ event.text }}"}}'))

    assert (run.state, run.code) == ("failed", "invalid") and "with.times" in run.reason


def test_on_error_continue_goes_on_and_the_error_can_be_read():
    run = go(start("- {id: one, uses: transform.test_bad, on_error: continue}\n"
                   "- {uses: transform.test_echo, with: {text: "
                   '"${{ steps.one.error.code }}"}}'))

    assert run.state == "done" and CALLS["timeout"] == 1


def test_on_error_steps_run_instead_and_the_run_goes_on():
    run = go(start("- id: one\n  uses: transform.test_bad\n"
                   '  on_error: [{uses: transform.test_echo, with: {text: '
                   '"${{ error.step_id }} ${{ error.message }}"}}]\n'
                   "- {uses: transform.test_echo, with: {text: after}}"))

    assert run.state == "done"
    assert CALLS["one went wrong"] == 1 and CALLS["after"] == 1


def test_on_error_of_the_workflow_runs_and_the_failure_stands():
    run = go(start("- {id: one, uses: transform.test_bad}", head="on_error:\n"
                   '  - {uses: transform.test_echo, with: {text: "${{ error.step }}"}}\n'))

    assert (run.state, run.code, CALLS["steps[0]"]) == ("failed", "timeout", 1)


def test_on_error_of_the_workflow_may_end_the_run_otherwise():
    run = go(start("- uses: transform.test_bad", head="on_error:\n"
                   "  - {stop: {status: ignored, reason: we know}}\n"))

    assert (run.state, run.reason) == ("ignored", "we know")


def test_retry_queues_the_run_again_after_the_delay_and_then_succeeds():
    run = start("- {uses: transform.test_bad, with: {times: 1}, "
                "retry: {max: 2, delay: 30s, jitter: false}}\n"
                "- {uses: transform.test_echo, with: {text: after}}")

    waiting = go(run)
    assert (waiting.state, 25 < wait_of(waiting) <= 30) == ("queued", True)
    ended = go(run)

    assert ended.state == "done" and CALLS == {"bad": 2, "after": 1}
    assert rows(run) == [("steps[0]", 1, "failed"), ("steps[0]", 2, "done"),
                         ("steps[1]", 1, "done")]


def test_retry_ends_after_its_most_tries():
    run = start("- {uses: transform.test_bad, retry: {max: 1, delay: 1s}}")

    assert go(run).state == "queued"
    assert (go(run).state, CALLS["bad"]) == ("failed", 2)


def test_retry_of_the_workflow_holds_for_steps_without_their_own():
    assert go(start("- uses: transform.test_bad", head="retry: {max: 1}\n")).state == "queued"


def test_delay_the_other_side_asked_for_wins():
    run = go(start("- {uses: transform.test_raise, with: {text: limited}, "
                   "retry: {max: 1, delay: 1s}}"))

    assert run.state == "queued" and 60 < wait_of(run) <= 70


@pytest.mark.parametrize("code", ["invalid", "error", "failed", "denied"])
def test_failure_that_would_be_the_same_again_is_not_retried(code):
    run = go(start(f"- {{uses: transform.test_bad, with: {{code: {code}}}, retry: {{max: 3}}}}"))

    assert (run.state, CALLS["bad"]) == ("failed", 1)


def test_steps_before_a_retry_are_not_done_again():
    run = start("- {id: one, uses: transform.test_echo, with: {text: once}}\n"
                "- {uses: transform.test_bad, with: {times: 1}, retry: {max: 1}}\n"
                '- {uses: transform.test_echo, with: {text: "${{ steps.one.output.text }} more"}}')
    go(run)

    go(run)

    assert CALLS == {"once": 1, "bad": 2, "once more": 1}


def test_unknown_send_is_never_retried():
    run = go(start("- {uses: meta.test_tell, with: {text: unknown}, "
                   "retry: {max: 3, errors: [timeout, network]}}"))

    assert (run.state, run.code, CALLS["told"]) == ("failed", "unknown", 1)
    assert rows(run) == [("steps[0]", 1, "unknown")]


def test_run_taken_over_after_an_effect_does_not_do_it_again():
    run = start("- {uses: meta.test_tell, with: {text: succeeded}}\n"
                "- {uses: transform.test_echo, with: {text: after}}")
    go(run)
    EventAction.objects.all().delete()  # the worker died before the outcome was on disk
    take_over(run)

    run = go(run)

    assert (run.state, CALLS["told"], OutboxMessage.objects.count()) == ("done", 1, 1)
    assert EventAction.objects.get(path="steps[0]").output == {"duplicate": True}


def test_what_came_before_an_effect_is_on_disk_when_it_is_done():
    run = go(start("- {uses: transform.test_echo, with: {text: a}}\n"
                   "- {uses: meta.test_tell, with: {text: succeeded}}"))

    assert (CALLS["on disk"], run.step_path) == (1, "steps[1]")


def test_branch_takes_the_first_true_arm():
    run = go(start("- branch:\n"
                   "    - {if: event.text == 'x', do: [{stop: failed}]}\n"
                   "    - {if: event.text == 'hello', do: [{stop: done}]}\n"
                   "    - else: [{stop: ignored}]"))

    assert run.state == "done"
    assert rows(run)[0] == ("steps[0]", 1, "done")


def test_resumed_branch_keeps_the_arm_it_took():
    run = start("- branch:\n"
                "    - {if: event.text == 'hello', do: [{uses: transform.test_bad, "
                "with: {times: 1}, retry: {max: 1}}]}\n"
                "    - {else: [{stop: failed}]}")
    go(run)
    Event.objects.filter(pk=run.event_id).update(text="something else")

    assert (go(run).state, CALLS["bad"]) == ("done", 2)


def test_branch_without_a_true_arm_does_nothing():
    run = go(start("- branch:\n    - {if: event.from_me, do: [{stop: failed}]}"))

    assert run.state == "done"


def test_run_past_its_deadline_fails_before_any_step():
    run = go(start("- {uses: transform.test_echo, with: {text: a}}",
                   deadline=timezone.now() - timedelta(seconds=1)))

    assert (run.state, run.code, run.reason) == ("failed", "timeout", "the run's time is up")
    assert not CALLS


def test_run_taken_over_meanwhile_is_left_alone():
    run = start("- {uses: transform.test_echo, with: {text: a}}")
    old = take(run)
    take_over(run)
    take(run)

    runner.advance(old)

    assert Run.objects.get(pk=run.pk).state == "running" and rows(run) == []


def test_run_that_lost_a_worker_notes_every_step_before_it_begins():
    run = start("- set: {a: 1}\n- {id: two, uses: transform.test_raise, with: {text: bug}}",
                deaths=1)

    assert go(run).step_path == "steps[1]"


def test_now_is_the_same_on_every_walk():
    run = start("- {id: one, set: {first: '${{ now }}'}}\n"
                "- {uses: transform.test_bad, with: {times: 1}, retry: {max: 1}}\n"
                "- {id: last, set: {last: '${{ now }}'}}")
    go(run)
    go(run)

    first, last = EventAction.objects.filter(step_kind="set").order_by("id")
    assert first.output["first"] == last.output["last"]


def test_inputs_of_the_run_are_seen_by_its_steps():
    run = start('- {uses: transform.test_echo, with: {text: "${{ inputs.who }}"}}',
                head="inputs:\n  who: {type: text, default: nobody}\n", inputs={"who": "ana"})

    go(run)

    assert CALLS["ana"] == 1
