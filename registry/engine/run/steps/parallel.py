"""`parallel`: arms side by side; the run goes on when every arm has ended.

An arm sees what was known before the fork and none of the other arms. A failure or `stop` in one
arm ends the run, after the others came to their next stand-still.
"""

from typing import Any

from actions.base import Outcome, done
from registry.engine.run import lanes
from registry.engine.run.contract import Verdict, earliest
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "parallel"


def execute(step: Step, execution: Execution) -> Outcome:
    return done(arms=list(step.body.arms))


def inside(step: Step, execution: Execution, output: dict[str, Any]) -> Verdict:
    execution.commit(step)
    arms = list(step.body.arms.values())
    ended, suspended = lanes.run(step, execution, [lanes.fork(execution) for _ in arms], arms)
    return ended or earliest(suspended)
