"""`workflow.monitor`: how a workflow did lately, on this account."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry.models import Run
from tests.factories import make_event, make_instance, make_run, make_workflow
from tests.registry.runs import advance, output_of

pytestmark = pytest.mark.django_db


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


def test_runs_of_before_and_the_run_that_asks_are_not_counted(start):
    run = start("- {uses: workflow.monitor, with: {since: 1h}}")
    for minutes in (30, 90):
        make_run(make_event(run.instance), workflow=run.workflow, state="done",
                 created_at=timezone.now() - timedelta(minutes=minutes))

    advance(run)

    output = output_of(run, "steps[0]")
    assert (output["ok"], output["counts"]) == (True, {"done": 1})


def test_workflow_that_is_not_there_cannot_be_watched(start):
    run = advance(start("- {uses: workflow.monitor, with: {workflow: nobody}}"))

    assert run.state == "failed" and "there is no workflow 'nobody'" in run.reason


@pytest.mark.parametrize("state", ["queued", "blocked", "waiting"])
def test_run_that_does_not_get_on_counts_as_waiting_wherever_it_stands(start, state):
    run = start("- {uses: workflow.monitor, with: {workflow: greeter, expect: {max_waiting: 0}}}")
    make_run(make_event(run.instance), workflow=make_workflow(), state=state,
             available_at=timezone.now() + timedelta(days=1))

    advance(run)

    assert output_of(run, "steps[0]")["reasons"] == ["1 wait, at most 0 are expected"]
