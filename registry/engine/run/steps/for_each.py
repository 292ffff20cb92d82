"""`for_each`: the same steps for every item of a list, one after the other or several at a time.

The list is recorded when the loop begins. Turns one after the other pass `vars` on; turns at the
same time see what was known before the loop. `while` is asked before each turn and its answer
recorded.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actions.base import Outcome, done, failed
from registry.engine.run import lanes
from registry.engine.run.contract import Ended, Suspended, Verdict, earliest
from registry.engine.run.execution import Execution
from registry.expressions.values import describe, plain
from registry.language.definition import ForEachBody, Step

KIND = "for_each"
MAX_CHARACTERS = 4_000_000  # of the list as JSON


def execute(step: Step, execution: Execution) -> Outcome:
    body: ForEachBody = step.body
    items = body.items.evaluate(execution.scope)
    items = [] if items is None else items
    if not isinstance(items, list | tuple):
        return failed(f"for_each.in must be a list, not {describe(items)}", code="invalid")
    if len(items) > body.limit and body.going is None:
        return failed(f"the list has {len(items)} items and for_each.limit is {body.limit}; raise "
                      "the limit, or shorten the list", code="too_many")
    text = json.dumps(list(items), default=plain)
    if len(text) > MAX_CHARACTERS:
        return failed(f"the list is {len(text)} characters of JSON, more than {MAX_CHARACTERS}",
                      code="too_large")
    return done(items=json.loads(text), count=len(items))


def inside(step: Step, execution: Execution, output: dict[str, Any]) -> Verdict:
    items = output["items"]
    if step.body.parallel > 1:
        return _several_at_a_time(step, execution, items)
    return _one_after_the_other(step, execution, items)


def _one_after_the_other(step: Step, execution: Execution, items: list[Any]) -> Verdict:
    outermost = execution.iteration == "" and not execution.in_lane
    saved = execution.progress.get(step.path) if outermost else None
    first = saved["next"] if saved else 0
    if saved:
        execution.scope["vars"].update(saved["vars"])
    earlier = (first, dict(execution.scope["vars"]))
    for number in range(first, len(items)):
        before = (number, dict(execution.scope["vars"]))
        with _turn(execution, number, items[number], len(items)):
            going = _goes_on(step, execution)
            if isinstance(going, Ended):
                return going
            if not going:
                return None
            if number >= step.body.limit:
                return _beyond(step, execution)
            verdict = execution.run_steps(step.body.steps)
        if outermost:  # the turn before this one is walked again, for what its steps gave
            execution.progress[step.path] = {"next": earlier[0], "vars": earlier[1]}
        if verdict is not None:
            return verdict
        earlier = before
    return None


def _several_at_a_time(step: Step, execution: Execution, items: list[Any]) -> Verdict:
    """Turns in their order, so many of them not ended at a time."""
    execution.commit(step)
    waiting: list[Suspended] = []
    number = 0
    while number < len(items) and len(waiting) < step.body.parallel:
        turns: list[Execution] = []
        while number < len(items) and len(turns) + len(waiting) < step.body.parallel:
            with _turn(execution, number, items[number], len(items)):
                going = _goes_on(step, execution)
                if isinstance(going, Ended):
                    return going
                if not going:
                    number = len(items)
                    break
                if number >= step.body.limit:
                    return _beyond(step, execution)
                turns.append(lanes.fork(execution))
            number += 1
        ended, suspended = lanes.run(step, execution, turns, [step.body.steps] * len(turns))
        if ended is not None:
            return ended
        waiting += suspended
    return earliest(waiting)


def _goes_on(step: Step, execution: Execution) -> bool | Ended:
    """Whether this turn is to be done; the answer is recorded under the turn."""
    going = step.body.going
    if going is None:
        return True
    path = f"{step.path}.while"
    known = execution.recorded.get((path, execution.iteration, 1))
    if known is None and execution.frozen:
        return False
    if known is None:
        outcome = done(go=bool(going.evaluate(execution.scope)))
        known = execution.note(step, outcome, started=execution.hands.clock(), duration_ms=0.0,
                               path=path, attempt=1)
    return known.output["go"]


def _beyond(step: Step, execution: Execution) -> Ended:
    execution.failed_path, execution.failed_id = step.path, step.id or ""
    return Ended("failed", f"{step.id or step.path}: for_each.while was still true after "
                 f"{step.body.limit} turns; raise for_each.limit", "too_many")


@contextmanager
def _turn(execution: Execution, number: int, item: Any, count: int) -> Iterator[None]:
    """The steps inside are those of one turn of the loop."""
    kept = execution.iteration, execution.scope.get("item"), execution.scope.get("loop")
    execution.iteration = f"{execution.iteration}.{number}".lstrip(".")
    execution.scope["item"] = item
    execution.scope["loop"] = {"index": number, "number": number + 1, "count": count}
    try:
        yield
    finally:
        execution.iteration, execution.scope["item"], execution.scope["loop"] = kept
