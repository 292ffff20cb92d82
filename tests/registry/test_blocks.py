"""Actions that steer or start runs."""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone
from pydantic import ValidationError

from actions import library
from actions.base import Context
from registry.models import Run
from tests.factories import make_event, make_instance, make_run, make_workflow
from tests.registry.runs import Crash, advance, crash, output_of, work

LATER = """\
omni: 1
id: later
inputs: {word: {type: text, default: none}}
trigger: [{manual: true}]
steps: [{uses: custom.look, with: {say: "later ${{ inputs.word }}"}}]
"""


def call(id, event=None, **params):
    """The outcome of an action outside of a run."""
    action = library.get(id)
    event = event or SimpleNamespace(contact_id=7, instance_id=1, conversation_ref="c")
    context = Context(instance=None, effect_key="omni:1:steps[0]", deadline=0.0)
    return action.function(event, action.params.model_validate(params), context)


@pytest.mark.parametrize(("values", "value", "position"), [
    (["a", "b"], "a", 1), ([None, "", [], {}, 0], 0, 5), ([None, False], False, 2)])
def test_first_value_that_is_there_is_taken(values, value, position):
    assert call("workflow.fallback", values=values).output == {
        "value": value, "position": position}


def test_no_value_at_all_fails():
    outcome = call("workflow.fallback", values=[None, ""])

    assert (outcome.status, outcome.code) == ("failed", "nothing_usable")


def variant(key="", **more):
    return call("workflow.experiment", **{
        "name": "greeting", "variants": {"a": 80, "b": 20, "c": 0}, "key": key, **more}).output


def test_people_are_dealt_by_weight_and_keep_their_variant():
    dealt = Counter(variant(f"person {number}")["variant"] for number in range(2000))

    assert 1500 < dealt["a"] < 1700 and dealt["c"] == 0
    assert variant("ana") == variant("ana") and variant()["key"] == "contact:7"
    assert variant(event=SimpleNamespace(contact_id=None, instance_id=1, conversation_ref="c"))[
        "key"] == "conversation:1:c"


def test_another_experiment_deals_anew():
    one = [variant(f"{n}")["variant"] for n in range(200)]
    other = [variant(f"{n}", name="other")["variant"] for n in range(200)]

    assert one != other


@pytest.mark.parametrize("variants", [{}, {"a": 0}, {"a": -1, "b": 2}])
def test_weights_that_deal_nothing_are_refused(variants):
    with pytest.raises(ValidationError):
        variant(variants=variants)


@pytest.mark.parametrize(("given", "retry", "delay", "reason"), [
    ({"code": "timeout"}, True, 2.0, ""), ({"code": "timeout", "attempt": 3}, True, 8.0, ""),
    ({"code": "timeout", "attempt": 4}, False, 0.0, "all 3 retries are used"),
    ({"code": "invalid"}, False, 0.0, "'invalid' is not tried again"),
    ({"code": "timeout", "retry_after": 30}, True, 30.0, ""),
    ({"code": "timeout", "attempt": 3, "backoff": "fixed", "delay": "5s"}, True, 5.0, "")])
def test_policy_is_that_of_steps(given, retry, delay, reason):
    assert call("workflow.retry_policy", **given).output == {
        "retry": retry, "delay_s": delay, "reason": reason}


@pytest.mark.django_db
def test_another_workflow_starts_later_and_once(start, probe, clock):
    make_workflow(LATER)
    probe.answers = [Crash()]
    run = start("""
- {uses: workflow.schedule, with: {workflow: later, after: 2h, inputs: {word: hi}}}
- uses: custom.send
""")
    crash(run)
    work()
    run.refresh_from_db()

    planned = Run.objects.exclude(pk=run.pk).get()
    early = (run.state, planned.state, list(probe.calls))
    clock.forward(hours=3)
    work()
    planned.refresh_from_db()

    assert early == ("done", "waiting", [None, None])
    assert (planned.state, probe.calls[-1]) == ("done", "later hi")
    assert output_of(run, "steps[0]")["run"] == planned.pk
    assert planned.deadline - planned.available_at > timedelta(days=29)


@pytest.mark.django_db
def test_time_may_come_from_an_expression(start, probe):
    make_workflow(LATER)

    run = advance(start("- {uses: workflow.schedule, with: {workflow: later, "
                        "at: '${{ add_hours(now, 2) }}'}}"))

    assert (run.state, run.reason) == ("done", "")
    assert Run.objects.get(parent=run).state == "waiting"


def test_order_of_variants_moves_nobody():
    turned = {"c": 0, "b": 20, "a": 80}

    assert all(variant(f"{n}") == variant(f"{n}", variants=turned) for n in range(100))


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "said"), [
    ("{workflow: nobody, after: 2h}", "there is no workflow 'nobody'"),
    ("{workflow: probed, at: tomorrow}", "'tomorrow' is not a time"),
    ("{workflow: probed, after: soon}", "soon")])
def test_schedule_that_cannot_be_made_says_why(start, given, said):
    run = advance(start(f"- {{uses: workflow.schedule, with: {given}}}"))

    assert run.state == "failed" and said in run.reason


@pytest.mark.django_db
def test_monitor_counts_runs_and_says_what_is_not_as_expected(start):
    run = start("""
- uses: workflow.monitor
  with:
    workflow: greeter
    since: 2h
    expect: {min_runs: 5, max_failed: 0, max_failed_share: 0.2, max_waiting: 0}
""")
    greeter = make_workflow()
    for state in ("done", "failed", "queued"):
        make_run(make_event(run.instance), workflow=greeter, state=state)
    make_run(make_event(make_instance("other")), workflow=greeter, state="dead")
    Run.objects.filter(workflow=greeter, state="queued").update(
        state="waiting", available_at=timezone.now() + timedelta(days=1))

    advance(run)

    output = output_of(run, "steps[0]")
    assert (output["ok"], output["runs"]) == (False, 3)
    assert output["counts"] == {"done": 1, "failed": 1, "waiting": 1}
    assert output["reasons"] == [
        "3 runs, at least 5 are expected", "1 failed, at most 0 are expected",
        "33% failed, at most 20% are expected", "1 wait, at most 0 are expected"]


@pytest.mark.django_db
def test_decision_is_made_by_the_configured_model_or_defaults(start):
    run = advance(start("""
- uses: workflow.smart_decision
  with: {question: urgent, options: {yes: "", no: ""}, default: no}
"""))

    output = output_of(run, "steps[0]")
    assert (output["choice"], output["defaulted"]) == ("no", True)
    assert "OMNI_LLM_BASE_URL" in output["why"]
