"""`decide`: a model or agent picks one of the listed options, whose steps then run.

The choice is recorded before they begin, so that a resumed run never decides twice.
"""

from typing import Any

from actions.base import Outcome
from registry.engine.run.contract import Verdict
from registry.engine.run.execution import Execution
from registry.expressions.values import to_text
from registry.language.definition import Step

KIND = "decide"


def execute(step: Step, execution: Execution) -> Outcome:
    question = to_text(step.body.question.render(execution.scope))
    execution.shown_input = {"question": question, "using": step.body.using}
    return execution.hands.decide(step, execution, question)


def inside(step: Step, execution: Execution, output: dict[str, Any]) -> Verdict:
    return execution.run_steps(step.body.options[output["choice"]])
