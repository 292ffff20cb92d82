"""`uses`: calls an action of the library."""

from actions.base import Outcome
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "uses"


def execute(step: Step, execution: Execution) -> Outcome:
    return execution.hands.act(step, execution)
