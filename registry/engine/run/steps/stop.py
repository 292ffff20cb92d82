"""`stop`: ends the run here, as done, ignored or failed."""

from collections.abc import Mapping
from typing import Any

from registry.engine.run.contract import Ended
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "stop"
_STATES = {"done": "done", "ignored": "ignored", "failed": "failed"}


def execute(step: Step, execution: Execution) -> Ended:
    return ended(step, execution.scope)


def ended(step: Step, scope: Mapping[str, Any]) -> Ended:
    """How a run ends at this step."""
    reason = step.body.reason.render(scope) if step.body.reason else ""
    return Ended(_STATES[step.body.status], str(reason or f"stopped at {step.path}"),
                 code="stopped")
