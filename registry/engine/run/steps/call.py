"""`call`: another workflow, as a run of its own.

Output {run, state, output}; output holds the `vars` of the called run at its end. With `detach`
the output is {run}. A called run that fails, dies or is canceled fails this step.
"""

from typing import Any

from actions.base import Outcome, done, failed
from registry.engine.run.contract import Suspended
from registry.engine.run.execution import Execution
from registry.engine.waits.waiting import Wait
from registry.language.definition import CallBody, Step

KIND = "call"


def execute(step: Step, execution: Execution) -> Outcome | Suspended:
    body: CallBody = step.body
    wait = execution.wait_of(step)
    if wait is None:
        if trouble := execution.hands.trouble_calling(body.workflow):
            return failed(trouble, code="invalid")
        inputs: dict[str, Any] = body.params.render(execution.scope) or {}
        execution.shown_input = inputs
        if body.mode == "detach":
            return execution.hands.call(step, execution, inputs)
        return execution.open(Wait(step.path, execution.iteration, "call",
                                   facts={"workflow": body.workflow, "inputs": inputs}))
    if wait.state == "open":
        return Suspended(None)
    answer = wait.result or {}
    if answer.get("state") in ("done", "ignored"):
        return done(**answer)
    return Outcome("failed", answer, f"workflow '{body.workflow}' ended as {answer.get('state')}: "
                   f"{answer.get('reason')}", answer.get("code") or "call_failed")
