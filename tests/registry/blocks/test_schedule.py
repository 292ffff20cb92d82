"""`workflow.schedule`: another workflow, later and once."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from registry.models import Run
from tests.factories import make_workflow
from tests.registry.blocks.called import call
from tests.registry.runs import Crash, advance, crash, output_of, work

pytestmark = pytest.mark.django_db
LATER = """\
omni: 1
id: later
inputs: {word: {type: text, default: none}}
trigger: [{manual: true}]
steps: [{uses: custom.look, with: {say: "later ${{ inputs.word }}"}}]
"""


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


def test_time_may_come_from_an_expression(start, probe):
    make_workflow(LATER)

    run = advance(start("- {uses: workflow.schedule, with: {workflow: later, "
                        "at: '${{ add_hours(now, 2) }}'}}"))

    assert (run.state, run.reason) == ("done", "")
    assert Run.objects.get(parent=run).state == "waiting"


@pytest.mark.parametrize(("given", "said"), [
    ("{workflow: nobody, after: 2h}", "there is no workflow 'nobody'"),
    ("{workflow: probed, at: tomorrow}", "'tomorrow' is not a time"),
    ("{workflow: probed, after: soon}", "soon")])
def test_schedule_that_cannot_be_made_says_why(start, given, said):
    run = advance(start(f"- {{uses: workflow.schedule, with: {given}}}"))

    assert run.state == "failed" and said in run.reason


@pytest.mark.parametrize("when", [{}, {"after": "2h", "at": "2030-01-01T09:00"}])
def test_exactly_one_way_to_say_when_is_taken(when):
    with pytest.raises(ValidationError):
        call("workflow.schedule", workflow="later", **when)


def test_outside_of_a_run_nothing_can_be_scheduled():
    outcome = call("workflow.schedule", workflow="later", after="2h")

    assert (outcome.status, outcome.reason) == ("failed", "only a run can schedule another one")
