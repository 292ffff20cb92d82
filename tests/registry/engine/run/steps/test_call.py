"""`call`: another workflow, waited for or not."""

from datetime import timedelta

import pytest

from actions.base import failed
from registry.engine.waits import endings
from registry.engine.work import queue
from registry.models import Run
from tests.factories import make_workflow
from tests.registry.runs import Crash, advance, crash, output_of, work

pytestmark = pytest.mark.django_db
OTHER = """\
omni: 1
id: other
inputs: {word: {type: text, default: none}}
trigger: [{manual: true}]
steps:
  - {uses: custom.look, with: {say: "other ${{ inputs.word }}"}}
  - set: {answer: "${{ inputs.word }}!"}
"""
CALL = """
- {id: sub, call: {workflow: other, with: {word: hi}}}
- {uses: custom.look, with: {say: "${{ steps.sub.output.output.answer }}"}}
"""


def test_called_run_is_waited_for_and_gives_its_variables(start, probe):
    make_workflow(OTHER)
    run = advance(start(CALL))
    asleep = run.state
    work()
    run.refresh_from_db()

    child = Run.objects.exclude(pk=run.pk).get()
    assert (asleep, run.state, probe.calls) == ("waiting", "done", ["other hi", "hi!"])
    assert (child.parent_id, child.depth, child.event_id) == (run.pk, 1, run.event_id)


def test_detached_run_is_not_waited_for(start, probe):
    make_workflow(OTHER)
    run = advance(start("- {call: {workflow: other, mode: detach}}\n- {uses: custom.look}"))

    child = Run.objects.exclude(pk=run.pk).get()
    assert (run.state, child.state, probe.calls) == ("done", "queued", [None])
    assert output_of(run, "steps[0]") == {"run": child.pk}


def test_called_run_has_its_whole_time_however_long_its_caller_waited(start, clock, probe):
    make_workflow(OTHER.replace("id: other", "id: other\ntimeout: 5s"))
    run = advance(start("- {wait: 8s}\n- {id: sub, call: {workflow: other}}"))
    clock.set(9)
    work()
    run.refresh_from_db()

    child = Run.objects.get(parent=run)
    assert (run.state, child.state, child.reason) == ("done", "done", "")


def test_called_run_ends_with_its_caller_at_the_latest(start, probe):
    make_workflow(OTHER)
    run = start(CALL)
    Run.objects.filter(pk=run.pk).update(deadline=queue.now() + timedelta(seconds=60))
    advance(run)

    run.refresh_from_db()
    assert Run.objects.get(parent=run).deadline == run.deadline


def test_crash_starts_no_second_run(start, probe):
    make_workflow(OTHER)
    probe.answers = [Crash()]
    run = start("- {call: {workflow: other, mode: detach}}\n- {uses: custom.send}")
    crash(run)

    work()
    run.refresh_from_db()

    assert run.state == "done" and Run.objects.count() == 2


def test_failure_of_the_called_run_is_the_steps(start, probe):
    make_workflow(OTHER)
    probe.answers = [failed("no luck", code="odd")]
    run = advance(start(CALL.replace("}}}", "}}, on_error: continue}", 1)))
    work()
    run.refresh_from_db()

    assert run.state == "done" and "no luck" in Run.objects.get(parent=run).reason


def test_each_turn_of_a_loop_calls_a_run_of_its_own(start, probe):
    make_workflow(OTHER)
    run = advance(start("""
- for_each:
    in: "['a', 'b']"
    do: [{call: {workflow: other, with: {word: "${{ item }}"}}}]
"""))
    work()
    run.refresh_from_db()

    assert (run.state, probe.calls) == ("done", ["other a", "other b"])


@pytest.mark.parametrize(("name", "said"), [
    ("nobody", "there is no workflow 'nobody'"), ("probed", "is call number")])
def test_call_that_cannot_be_made_says_why(start, name, said):
    run = start(f"- {{call: {{workflow: {name}}}}}")
    if name == "probed":
        Run.objects.filter(pk=run.pk).update(depth=10)
        said = "would be call number 11 below one event"

    advance(run)

    assert run.state == "failed" and said in run.reason


def test_canceled_caller_takes_the_called_run_along(start):
    make_workflow(OTHER.replace("  - {uses", "  - wait: 1h\n  - {uses"))
    run = advance(start(CALL))
    advance(Run.objects.get(parent=run))

    endings.cancel_by("user:ana", run)

    child = Run.objects.get(parent=run)
    assert (child.state, child.code) == ("canceled", "caller_ended")


def test_canceled_called_run_fails_its_caller(start):
    make_workflow(OTHER.replace("  - {uses", "  - wait: 1h\n  - {uses"))
    run = advance(start(CALL))
    child = advance(Run.objects.get(parent=run))

    endings.cancel_by("user:ana", child)
    advance(run)

    assert run.state == "failed" and "canceled by user:ana" in run.reason


def test_called_run_that_died_fails_its_caller(start, probe):
    probe.answers = [Crash()] * 3
    make_workflow(OTHER)
    run = advance(start(CALL))
    child = Run.objects.get(parent=run)
    for _ in range(3):
        crash(child)

    advance(run)

    child.refresh_from_db()
    assert (child.state, run.state) == ("dead", "failed") and "worker died" in run.reason
