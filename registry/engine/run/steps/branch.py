"""`branch`: the first arm whose condition is true; the choice is recorded before its steps run."""

from actions.base import Outcome, done
from registry.engine.run.contract import Verdict
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "branch"


def execute(step: Step, execution: Execution) -> Outcome:
    for number, arm in enumerate(step.body.arms):
        if arm.condition is None or arm.condition.evaluate(execution.scope):
            return done(arm=number)
    return done(arm=None)


def inside(step: Step, execution: Execution, output: dict) -> Verdict:
    """Run the chosen arm."""
    if output.get("arm") is None:
        return None
    return execution.run_steps(step.body.arms[output["arm"]].steps)
