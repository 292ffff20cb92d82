"""`uses`: calls an action of the library."""

import time

from pydantic import ValidationError

from actions import library
from actions.base import Action, Context, Outcome, failed
from events import deliver
from registry.definition import Step
from registry.execution import Execution

KIND = "uses"


def action_of(step: Step) -> Action:
    return library.get(step.body.action_id)


def has_effect(step: Step) -> bool:
    """Whether what came before must be on disk before this step begins."""
    return action_of(step).effects in ("write", "send")


def timeout_of(step: Step) -> float:
    return step.timeout or action_of(step).timeout


def execute(step: Step, execution: Execution) -> Outcome:
    action = action_of(step)
    given = step.body.params.render(execution.scope) or {}
    execution.shown_input = {name: "[secret]" if name in action.secret else value
                             for name, value in given.items()}
    try:
        params = action.params.model_validate(given)
    except ValidationError as exc:
        wrong = "; ".join(f"with.{'.'.join(map(str, error['loc']))}: {error['msg']}"
                          for error in exc.errors(include_input=False, include_url=False))
        return failed(f"{step.path}: {wrong}", code="invalid")
    run = execution.run
    sent = {"instance": run.instance, "caused_by": run.event, "run_id": run.pk}
    context = Context(
        instance=run.instance, effect_key=f"omni:{run.pk}:{step.path}{execution.iteration}",
        deadline=time.monotonic() + timeout_of(step), inputs=dict(execution.scope["inputs"]),
        deliver=lambda message, effect_key, **more: deliver.send(
            message, effect_key=effect_key, **{**sent, "conversation": run.event.conversation,
                                               **more}),
        perform=lambda effect_key, **more: deliver.perform(
            effect_key=effect_key, **{**sent, **more}),
        run_id=run.pk, step_id=step.id or "", workflow=execution.definition.id,
        attempt=execution.attempt)
    return action.function(run.event, params, context)

