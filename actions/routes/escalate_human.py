"""A person takes over: the event becomes a task."""

from typing import Literal

from pydantic import ConfigDict, Field

from actions import tasks
from actions.base import Context, Outcome, Output, Params, action, done
from events.models import Event


class EscalateParams(Params):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    queue: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9_.-]+$",
                       description="Who is to look at it, in one word, like sales or review.")
    note: str | None = Field(None, description="Why, for the person; the first 8,000 characters "
                             "are kept.")
    priority: Literal["low", "normal", "high", "urgent"] = Field(
        "normal", description="low, normal, high or urgent.")


class EscalateOutput(Output):
    task_id: int = Field(description="Our number of the task.")
    queue: str = Field(description="The queue it waits in.")


@action("route.escalate.human", params=EscalateParams, output=EscalateOutput, effects="write",
        idempotent=True, timeout=15.0)
def escalate(event: Event, params: EscalateParams, context: Context) -> Outcome:
    """Hand the event to a person as a task in a queue, once.

    The event `system.task.created` tells workflows of it; people find it under Tasks.
    """
    task = tasks.create(event, instance=context.instance, effect_key=context.effect("task"),
                        kind="escalation", queue=params.queue, note=params.note or "",
                        priority=params.priority, run_id=context.run_id)
    return done(task_id=task.pk, queue=task.queue)
