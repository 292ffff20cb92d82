"""`parallel`: arms side by side; the run goes on when every arm has ended.

An arm sees what was known before the fork and none of the other arms. A failure or `stop` in one
arm ends the run, after the others came to their next stand-still.
"""

from functools import partial
from typing import Any

from actions.base import Outcome, done
from registry.definition import Step
from registry.execution import Execution, Verdict, earliest

KIND = "parallel"


def execute(step: Step, execution: Execution) -> Outcome:
    return done(arms=list(step.body.arms))


def inside(step: Step, execution: Execution, output: dict[str, Any]) -> Verdict:
    execution.commit(step)
    lanes = [execution.fork() for _ in step.body.arms]
    verdicts = execution.hands.side_by_side([
        partial(lane.run_steps, steps)
        for lane, steps in zip(lanes, step.body.arms.values(), strict=True)])
    ended, suspended = execution.join(lanes, verdicts)
    return ended or earliest(suspended)
