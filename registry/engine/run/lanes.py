"""Walks side by side: the arms of `parallel`, and turns of a loop at the same time. Pure.

A lane sees what was known before the fork and none of its neighbours.
"""

from collections.abc import Sequence
from functools import partial

from actions.base import Outcome
from registry.engine.run.contract import Ended, Suspended, Verdict
from registry.engine.run.execution import Execution
from registry.language.definition import Step


def fork(execution: Execution) -> Execution:
    """A walk of its own, which `run` joins again."""
    scope = execution.scope.fork()
    scope["steps"], scope["vars"] = dict(execution.scope["steps"]), dict(execution.scope["vars"])
    lane = Execution(
        definition=execution.definition, scope=scope, hands=execution.hands,
        kinds=execution.kinds, recorded=execution.recorded, waits=execution.waits,
        iteration=execution.iteration, careful=execution.careful, in_lane=True,
        frozen=execution.frozen)
    execution.lanes.append(lane)
    return lane


def run(step: Step, execution: Execution, lanes: Sequence[Execution],
        steps: Sequence[Sequence[Step]]) -> tuple[Ended | None, list[Suspended]]:
    """Run steps in forks side by side: the first end, and who is suspended.

    An end is recorded under `<path>.end`, so that on later walks the other lanes are not taken up
    again; what they wait for is closed.
    """
    known = execution.recorded.get((f"{step.path}.end", execution.iteration, 1))
    for lane in lanes:
        lane.frozen = lane.frozen or known is not None
    execution.step_deadline = 0.0  # each lane has those of its own steps
    ended, suspended = _join(execution, lanes, execution.hands.side_by_side(
        [partial(_walk, lane, own) for lane, own in zip(lanes, steps, strict=True)]))
    if known is not None:
        execution.failed_path = known.output["step"]
        execution.failed_id = known.output["step_id"]
        return Ended(known.output["state"], known.reason, known.code), []
    if ended is not None and not execution.frozen:
        _leave(execution, step, ended)
    return ended, suspended


def _walk(lane: Execution, steps: Sequence[Step]) -> Verdict:
    try:
        return lane.run_steps(steps)
    finally:
        lane.step_deadline = 0.0  # it is not late while its neighbours go on


def _join(execution: Execution, lanes: Sequence[Execution],
          verdicts: Sequence[Verdict]) -> tuple[Ended | None, list[Suspended]]:
    """Take over what the lanes did, in their order: the first end, and who is suspended."""
    before = dict(execution.scope["vars"])
    for lane in lanes:
        execution.scope["steps"].update(lane.scope["steps"])
        execution.scope["vars"].update({
            name: value for name, value in lane.scope["vars"].items()
            if name not in before or before[name] is not value})
        execution.pending += lane.pending
        execution.opened += lane.opened
        execution.left += lane.left
        execution.lanes.remove(lane)
    ends = [(lane, verdict) for lane, verdict in zip(lanes, verdicts, strict=True)
            if isinstance(verdict, Ended)]
    if ends:
        execution.failed_path, execution.failed_id = ends[0][0].failed_path, ends[0][0].failed_id
    return (ends[0][1] if ends else None,
            [verdict for verdict in verdicts if isinstance(verdict, Suspended)])


def _leave(execution: Execution, step: Step, ended: Ended) -> None:
    """Record how lanes ended; nobody comes back to what lies inside this step."""
    execution.note(
        step, Outcome("done", {"state": ended.state, "step": execution.failed_path,
                               "step_id": execution.failed_id}, ended.reason, ended.code),
        started=execution.hands.clock(), duration_ms=0.0, path=f"{step.path}.end", attempt=1)
    for place in [place for place in execution.waits if place[0].startswith(f"{step.path}.")
                  and f"{place[1]}.".startswith(f"{execution.iteration}.".lstrip("."))]:
        wait = execution.waits.pop(place)
        if wait in execution.opened:
            execution.opened.remove(wait)
        else:
            execution.left.append(place)
