"""`parallel`: arms side by side."""

import threading
import time

import pytest

from actions.base import Outcome, failed
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import Approval, Wait
from tests.registry.runs import Crash, advance, crash

pytestmark = pytest.mark.django_db
ARMS = """
- set: {who: ana}
- parallel:
    left:
      - {id: one, uses: custom.send, with: {say: "left ${{ vars.who }}"}}
      - set: {left: 1}
    right:
      - {id: two, uses: custom.send, with: {say: "right ${{ vars.who }}"}}
- uses: custom.look
  with: {say: "${{ steps.one.output.said }}+${{ steps.two.output.said }} ${{ vars.left }}"}
"""


def test_every_arm_is_done_and_read_afterwards(start, probe):
    run = advance(start(ARMS))

    assert run.state == "done"
    assert probe.calls == ["left ana", "right ana", "left ana+right ana 1"]


def test_crash_in_one_arm_repeats_no_other(start, probe):
    probe.answers = [Outcome("done", {"said": "l"}), Crash()]
    run = start(ARMS)
    crash(run)

    advance(run)

    assert run.state == "done" and probe.calls.count("left ana") == 1


def test_arms_wait_at_the_same_time(start, probe):
    run = advance(start("""
- parallel:
    left: [{wait: 10s}, {uses: custom.look, with: {say: left}}]
    right: [{wait: 20s}, {uses: custom.look, with: {say: right}}]
    none: [{uses: custom.look, with: {say: none}}]
- {uses: custom.look, with: {say: end}}
"""))
    states = [(run.state, list(probe.calls))]
    advance(run)
    states.append((run.state, list(probe.calls)))
    advance(run)

    assert states == [("waiting", ["none"]), ("waiting", ["none", "left"])]
    assert run.state == "done" and probe.calls == ["none", "left", "right", "end"]


def test_retry_in_one_arm_comes_when_it_is_due_and_not_with_its_neighbour(start, probe):
    probe.answers = [failed("away", code="not_sent")]
    run = advance(start("""
- parallel:
    left:
      - uses: custom.look
        with: {say: left}
        retry: {max: 1, delay: 1h, backoff: fixed, jitter: false}
    right: [{wait: 10s}, {uses: custom.look, with: {say: right}}]
"""))
    advance(run)
    early = list(probe.calls)
    advance(run)

    assert early == ["left", "right"] and probe.calls == ["left", "right", "left"]
    assert run.state == "done"


def test_failure_of_an_arm_is_the_steps_to_handle(start, probe):
    probe.answers = [failed("no luck", code="odd")]

    run = advance(start("""
- parallel:
    left: [{uses: custom.look, with: {say: left}}]
    right: [{uses: custom.look, with: {say: right}}]
  on_error: continue
- {uses: custom.look, with: {say: end}}
"""))

    assert run.state == "done" and probe.calls == ["left", "right", "end"]


def test_stop_in_an_arm_ends_the_run(start, probe):
    run = advance(start("""
- parallel:
    left: [{stop: {status: ignored, reason: enough}}]
    right: [{uses: custom.look, with: {say: right}}]
  on_error: continue
- {uses: custom.look, with: {say: end}}
"""))

    assert (run.state, run.reason, probe.calls) == ("ignored", "enough", ["right"])


@pytest.mark.django_db(transaction=True)
def test_arms_really_run_at_the_same_time(start, probe, settings):
    settings.OMNI_PARALLEL_STEPS = 4
    meeting = threading.Barrier(2)
    probe.answers = [lambda *_: (meeting.wait(10), Outcome("done"))[1]] * 2
    run = start("""
- parallel:
    left: [{uses: custom.send, with: {say: left}}]
    right: [{uses: custom.send, with: {say: right}}]
""")

    advance(run)

    assert (run.state, run.reason) == ("done", "")


def test_crash_in_an_arm_does_not_repeat_what_was_done_before_the_fork(start, probe):
    probe.answers = [Outcome("done"), Crash()]
    run = start("""
- {uses: custom.change, with: {say: before}}
- parallel:
    left: [{uses: custom.look, with: {say: left}}]
    right: [{uses: custom.look, with: {say: right}}]
""")

    crash(run)
    advance(run)

    assert run.state == "done" and probe.calls == ["before", "left", "left", "right"]


def test_run_that_died_leaves_nothing_open(start, probe):
    probe.answers = [Crash()] * 4
    run = start("""
- parallel:
    left: [{approval: {ask: "Yes?", of: ["user:ana"], timeout: 2h, on_timeout: reject}}]
    middle: [{wait: {event: message.text}}]
    right: [{wait: 1m}, {uses: custom.look}]
""")
    advance(run)
    for _ in range(4):  # after the first death every step is noted before it begins
        if run.state != "dead":
            crash(run)
            run.refresh_from_db()

    assert run.state == "dead"
    assert set(Wait.objects.values_list("state", flat=True)) == {"closed"}
    assert Approval.objects.get().state == "closed"


@pytest.mark.parametrize("left", ["{uses: custom.look}", "{set: {seen: true}}", "{wait: 1h}"])
def test_run_that_kills_its_worker_in_an_arm_dies_there(start, probe, left):
    """What its other arms do on every walk does not make its deaths forgotten."""
    probe.answers = [lambda event, context: Crash() if "right" in context.effect(0)
                     else Outcome("done")] * 20
    run = start(f"""
- parallel:
    left: [{left}]
    right: [{{uses: custom.change}}]
""")
    for _ in range(5):
        if run.state != "dead":
            crash(run)
            run.refresh_from_db()

    assert run.state == "dead" and "3 times in a row at steps[0].parallel.right[0]" in run.reason


def test_block_that_is_long_as_a_whole_is_not_overdue(start, probe, monkeypatch):
    """Each step takes 20 seconds and may take 30; a block without a time of its own 60."""
    run, walks, late, passed = start("""
- parallel:
    short: [{uses: custom.look}]
    long: [{uses: custom.look}, {uses: custom.look}, {uses: custom.look}, {uses: custom.look}]
- for_each: {in: "[1, 2, 3, 4]", parallel: 2, do: [{uses: custom.look}]}
"""), [], [], [0]
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + passed[0])

    def take_time(event, context):
        passed[0] += 20
        late.append(walks[0].is_overdue(grace=5))
        return Outcome("done")

    probe.answers = [take_time] * 9
    [claim] = queue.claim("w1", limit=1)
    runner.advance(claim, watch=walks.append)
    run.refresh_from_db()

    assert run.state == "done" and late == [False] * 9
