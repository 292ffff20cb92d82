"""Random workflows in random histories: whatever comes, dies or is edited, the promises hold.

Each of EXAMPLES drawn workflows lives through HISTORIES histories of events, timers, answers,
cancellations, edits, deaths of workers at every named place, and workers that stand still for
longer than their lease. World asserts what must hold at each moment: no outcome twice, none after
its end, no write by an old token, no send twice, no more at work than a slot allows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actions.base import Outcome
from registry.engine.run.contract import Ended
from registry.engine.run.execution import Execution
from registry.language.definition import Definition, Step
from tests.registry.engine.run.machine.documents import CHILD, definitions, parsed
from tests.registry.engine.run.machine.world import Run, World, WorldHands

EXAMPLES, HISTORIES, THINGS = 252, 16, 26  # 4,032 histories
CHILD_DEFINITION = parsed(CHILD)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.tuples(definitions(), definitions()), st.integers(0, 2**32))
def test_promises_hold_in_every_history(versions, seed):
    for number in range(seed, seed + HISTORIES):
        try:
            live_through(versions, number)
        except Exception as exc:
            data = [version.data for version in versions]
            exc.add_note(f"live_through([parsed(data) for data in {data}], {number})")
            raise


def live_through(versions: Sequence[Definition], seed: int) -> World:
    """One history; the note of a failure says how to have it again."""
    world = World(versions, CHILD_DEFINITION, seed)
    for _ in range(THINGS):
        world.step()
    world.settle()
    every_event_is_answered_once(world)
    every_gate_was_kept(world)
    for run in world.runs.values():
        every_step_ended_once_and_in_order(run)
        every_item_had_its_turn(run)
        outcomes_alone_tell_how_it_ended(world, run)
    return world


def every_event_is_answered_once(world: World) -> None:
    """Each event has one decision; each run that an event opened is its only one."""
    assert set(world.routed) == {event["id"] for event in world.events}
    opened = Counter(run.event for run in world.runs.values() if run.parent is None)
    assert all(count == 1 for count in opened.values())
    for event_id, said in world.routed.items():
        named = [run for run in world.runs.values()
                 if run.parent is None and (run.event == event_id or event_id in run.batch)]
        if not said.startswith("run "):
            assert named == []
    assert all(run.state not in ("queued", "running", "waiting") for run in world.runs.values())
    assert all(run.state == "done" or run.reason for run in world.runs.values())


def every_gate_was_kept(world: World) -> None:
    """once and throttle over the runs of one version; a burst waited until it was quiet."""
    for definition in world.definitions:
        runs = [run for run in world.runs.values() if run.definition is definition]
        for key in {run.once_key for run in runs} - {None}:
            assert definition.once and definition.once.per
            _apart([run.created_at for run in runs if run.once_key == key], 1,
                   definition.once.per)
        for key in {run.throttle_key for run in runs} - {None}:
            assert definition.throttle
            moments = [run.throttle_at for run in runs if run.throttle_key == key]
            _apart([moment for moment in moments if moment], definition.throttle.limit,
                   definition.throttle.per)
        for run in runs:
            if run.throttle_at and run.first_start:
                assert run.first_start >= run.throttle_at
            if definition.debounce and run.first_start:
                quiet = world.events[run.event - 1]["routed_at"] + timedelta(
                    seconds=definition.debounce.quiet)
                assert run.first_start >= (min(quiet, run.until) if run.until else quiet)


def _apart(moments: list[datetime], count: int, seconds: float) -> None:
    """Of any `count` + 1 moments in a row, first and last are so many seconds apart."""
    moments.sort()
    for earlier, later in zip(moments, moments[count:], strict=False):
        assert later - earlier >= timedelta(seconds=seconds)


def every_step_ended_once_and_in_order(run: Run) -> None:
    for (path, iteration, attempt), record in run.records.items():
        before = run.records.get((path, iteration, attempt - 1))
        if before is not None:
            assert record.started_at >= datetime.fromisoformat(before.output["retry_at"])
    assert len(set(run.order)) == len(run.order)
    newest: dict[tuple[str, str], int] = defaultdict(lambda: -1)
    for path, iteration in run.order:
        if path.endswith((".while", ".end")):
            continue
        place = re.fullmatch(r"(.*)\[(\d+)\]", path)
        assert place is not None
        siblings = (place[1], iteration)
        assert int(place[2]) > newest[siblings], f"{path} out of order"
        newest[siblings] = int(place[2])


def every_item_had_its_turn(run: Run) -> None:
    """A loop in a run that is done had one turn per item, unless something may cut it short."""
    for (path, iteration, _), record in run.records.items():
        if record.step_kind != "for_each" or run.state != "done" or run.code == "stopped":
            continue
        step = _step_at(run.definition.steps, path)
        if step is None or step.on_error != "fail" or ".on_error" in path or (
                "parallel" in path or "for_each." in path):
            continue
        turns = {other[1] for other in run.records
                 if other[0] == f"{path}.for_each.do[0]" and other[2] == 1}
        assert len(turns) == record.output["count"], (path, iteration, turns)


def _step_at(steps: tuple[Step, ...], path: str) -> Step | None:
    return next((step for step in steps if step.path == path), None)


class _Reader(WorldHands):
    """Hands of somebody who only reads what was recorded."""

    fatal = (AssertionError,)

    def flush(self, execution: Execution, step: Step) -> None:
        raise AssertionError(f"{step.path} was not recorded")

    def act(self, step: Step, execution: Execution) -> Outcome:
        raise AssertionError(f"{step.path} was not recorded")

    def decide(self, step: Step, execution: Execution, question: str) -> Outcome:
        raise AssertionError(f"{step.path} was not recorded")


def outcomes_alone_tell_how_it_ended(world: World, run: Run) -> None:
    """Walking an ended run again from its outcomes does nothing and ends it the same way."""
    if run.state not in ("done", "ignored", "failed"):
        return
    hands = _Reader(world, run, run.token)
    execution = world.execution(run, hands)
    execution.recorded = world.visible(run)
    execution.waits = {}
    verdict = execution.run()
    again = verdict.state if isinstance(verdict, Ended) else "done"
    assert verdict is None or isinstance(verdict, Ended)
    assert again == run.state and not execution.pending
