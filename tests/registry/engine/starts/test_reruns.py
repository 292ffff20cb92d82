"""A run once more: whole, from the step that failed, or with chosen steps."""

import pytest

from actions.base import Outcome, failed
from events.models import EventAction
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.engine.starts import reruns
from tests.factories import make_sent
from tests.registry.runs import advance

pytestmark = pytest.mark.django_db
STEPS = """
- {id: look, uses: custom.look, with: {say: look}}
- {id: change, uses: custom.change, with: {say: change}}
- {id: send, uses: custom.send, with: {say: "${{ steps.change.output.said }}"}}
- {uses: custom.look, with: {say: end}}
"""


@pytest.fixture
def broken(start, probe):
    probe.answers = [Outcome("done", {"said": "a"}), Outcome("done", {"said": "b"}),
                     failed("no luck", code="odd")]
    run = advance(start(STEPS))
    probe.calls.clear()
    return run


def test_whole_run_is_done_again(broken, probe):
    again = advance(reruns.rerun(broken, actor="user:ana"))

    assert (again.replay_no, again.state, again.rerun_of_id) == (1, "done", broken.pk)
    assert probe.calls == ["look", "change", "change", "end"]


def test_run_goes_on_from_the_step_that_failed(broken, probe):
    again = advance(reruns.rerun(broken, actor="user:ana", mode="from_failed"))

    assert again.state == "done" and probe.calls == ["b", "end"]
    assert EventAction.objects.filter(run_id=again.pk).count() == 4


@pytest.mark.parametrize("name", ["look", "steps[0]"])
def test_chosen_steps_are_done_again_and_others_read(broken, probe, name):
    again = advance(reruns.rerun(broken, actor="user:ana", mode="steps", steps=[name]))

    assert again.state == "done" and probe.calls == ["look", "b", "end"]


def test_rerun_of_a_rerun_is_another_one(broken):
    first = advance(reruns.rerun(broken, actor="user:ana"))

    assert reruns.rerun(first, actor="user:ana").replay_no == 2


@pytest.mark.parametrize(("mode", "steps", "again"), [
    ("whole", [], ["change", "send"]), ("from_failed", [], ["send"]),
    ("steps", ["look"], []), ("steps", ["change"], ["change"])])
def test_plan_lists_the_effects_that_would_happen_again(broken, mode, steps, again):
    listed = reruns.plan(broken, mode=mode, steps=steps)

    assert [one.step_id for one in listed] == again


def test_plan_tells_what_was_sent_before(broken):
    make_sent(broken.instance, "ana", run_id=broken.pk, effect_key=f"omni:{broken.pk}:steps[2]:0")

    [one] = reruns.plan(broken, mode="from_failed")

    assert (one.effects, one.status) == ("send", "failed")
    assert one.sent == [{"kind": "text", "recipient": "ana", "state": "succeeded"}]


def test_chosen_loop_is_done_again_with_all_its_turns(start, probe):
    run = advance(start("""
- id: loop
  for_each: {in: "[1, 2]", do: [{uses: custom.send, with: {say: "${{ item }}"}}]}
- {uses: custom.look, with: {say: end}}
"""))
    probe.calls.clear()

    advance(reruns.rerun(run, actor="user:ana", mode="steps", steps=["loop"]))

    assert probe.calls == [1, 2]


@pytest.mark.parametrize(("mode", "steps", "said"), [
    ("again", [], "mode must be one of whole, from_failed, steps, not 'again'"),
    ("steps", [], "name the steps to do again"),
    ("steps", ["chnge"], "has no step 'chnge'; did you mean 'change'?")])
def test_rerun_that_makes_no_sense_says_why(broken, mode, steps, said):
    with pytest.raises(InvalidInput, match=said.replace("?", "\\?")):
        reruns.rerun(broken, actor="user:ana", mode=mode, steps=steps)

    assert not AuditEntry.objects.filter(action="run.rerun").exists()


def test_run_that_did_not_fail_cannot_go_on_from_its_failure(start, probe):
    run = advance(start("- uses: custom.look"))

    with pytest.raises(InvalidInput, match="no step of run .* failed; rerun it whole"):
        reruns.plan(run, mode="from_failed")
