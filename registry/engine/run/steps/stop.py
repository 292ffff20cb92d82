"""`stop`: ends the run here, as done, ignored or failed."""

from registry.engine.run.contract import Ended
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "stop"
_STATES = {"done": "done", "ignored": "ignored", "failed": "failed"}


def execute(step: Step, execution: Execution) -> Ended:
    reason = step.body.reason.render(execution.scope) if step.body.reason else ""
    return Ended(_STATES[step.body.status], str(reason or f"stopped at {step.path}"),
                 code="stopped")
