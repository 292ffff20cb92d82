"""`set`: gives names to values; later steps read them as `vars.<name>`."""

from actions.base import Outcome, done
from registry.engine.run.execution import Execution
from registry.language.definition import Step

KIND = "set"


def execute(step: Step, execution: Execution) -> Outcome:
    values = {name: template.render(execution.scope)
              for name, template in step.body.values.items()}
    return done(**values)


def restore(step: Step, execution: Execution, output: dict) -> None:
    """Make the recorded values visible again."""
    execution.scope["vars"].update(output)
