"""`uses`: calls an action of the library."""

from actions.base import Outcome
from registry.definition import Step
from registry.execution import Execution

KIND = "uses"


def execute(step: Step, execution: Execution) -> Outcome:
    return execution.hands.act(step, execution)
