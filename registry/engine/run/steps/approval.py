"""`approval`: people are asked, and the first answer counts.

Output {decision, edited, by, comment, at}; decision is approve or reject. `timed_out` is true when
the deadline decided.
"""

from datetime import timedelta

from actions.base import Outcome, done, failed
from registry.engine.run.contract import Suspended
from registry.engine.run.execution import Execution
from registry.engine.waits.waiting import Wait
from registry.expressions.values import to_text
from registry.language.definition import ApprovalBody, Step

KIND = "approval"


def execute(step: Step, execution: Execution) -> Outcome | Suspended:
    wait = execution.wait_of(step)
    if wait is None:
        return _asked(step, execution)
    now = execution.hands.clock()
    if wait.state == "open" and wait.wake_at is not None and wait.wake_at <= now:
        wait = execution.hands.expire(wait)
    if wait.state == "open":
        return Suspended(wait.wake_at)
    answer = wait.result or {}
    if answer.get("timed_out") and step.body.on_timeout == "fail":
        return failed("nobody answered in time", code="timed_out", **answer)
    return done(**answer)


def _asked(step: Step, execution: Execution) -> Suspended:
    body: ApprovalBody = step.body
    now = execution.hands.clock()
    scope = execution.scope
    execution.shown_input = facts = {
        "ask": to_text(body.ask.render(scope)),
        "show": body.show.render(scope) if body.show else None,
        "of": list(body.of), "via": list(body.via), "on_timeout": body.on_timeout}
    wake_at = now + timedelta(seconds=body.timeout) if body.timeout is not None else None
    return execution.open(Wait(step.path, execution.iteration, "approval", wake_at=wake_at,
                               facts=facts))
