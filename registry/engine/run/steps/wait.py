"""`wait`: for a time, until a moment, or for an event. Output {outcome, event}; outcome is elapsed,
event or timeout.
"""

from datetime import timedelta

from actions.base import Outcome, done, failed
from registry.engine.run.contract import Suspended
from registry.engine.run.execution import Execution
from registry.engine.waits import waiting
from registry.engine.waits.waiting import SoFar, Wait
from registry.expressions.values import to_time
from registry.language.definition import Step, WaitBody

KIND = "wait"


def execute(step: Step, execution: Execution) -> Outcome | Suspended:
    wait = execution.wait_of(step)
    if wait is None:
        return _begun(step, execution)
    if wait.state == "settled":
        return done(outcome="event", event=(wait.result or {}).get("event"))
    if wait.wake_at is not None and wait.wake_at <= execution.hands.clock():
        return _over(wait.kind)
    return Suspended(wait.wake_at)


def _begun(step: Step, execution: Execution) -> Outcome | Suspended:
    body: WaitBody = step.body
    now = execution.hands.clock()
    if body.event:
        wake_at = now + timedelta(seconds=body.timeout) if body.timeout is not None else None
        before = (execution.hands.so_far() if body.since == "step"
                  else SoFar(execution.scope["event"]["id"]))
        return execution.open(waiting.for_event(
            step.path, execution.iteration, kind="event", event_types=body.event,
            pairs={name: value.render(execution.scope) for name, value in body.match.items()},
            where=body.where, scope=execution.scope, before=before, wake_at=wake_at))
    if body.until is not None:
        moment = to_time(body.until.evaluate(execution.scope))
        if moment is None:
            return failed(f"wait.until is null: {body.until.source}", code="invalid")
    else:
        moment = now + timedelta(seconds=body.seconds or 0)
    if moment <= now:
        return _over("time")
    return execution.open(Wait(step.path, execution.iteration, "time", wake_at=moment))


def _over(kind: str) -> Outcome:
    return done(outcome="timeout" if kind == "event" else "elapsed", event=None)
