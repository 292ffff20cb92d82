"""Another workflow, later."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, model_validator

from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event
from omni.errors import InvalidInput
from registry.engine.starts import calls
from registry.engine.work import queue
from registry.expressions.values import to_time
from registry.language.durations import seconds
from registry.models import Run


class ScheduleParams(Params):
    workflow: str = Field(min_length=2, max_length=64, description="Id of the other workflow.")
    at: str | datetime | None = Field(None, description="When: a time, or an ISO text; without a "
                                      "zone UTC.")
    after: str | None = Field(None, description="How long from now, like 2h.")
    inputs: dict[str, Any] = Field({}, description="Its inputs.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "ScheduleParams":
        if (self.at is None) == (self.after is None):
            raise ValueError("give one of at and after")
        return self


class ScheduleOutput(Output):
    run: int = Field(0, description="The run that waits.")
    at: str = Field("", description="When it starts, UTC.")


@action("workflow.schedule", params=ScheduleParams, output=ScheduleOutput, effects="write",
        timeout=15.0)
def schedule(event: Event, params: ScheduleParams, context: Context) -> Outcome:
    """Start another workflow on this event at a later time, once."""
    if context.run_id is None:
        return failed("only a run can schedule another one", code="invalid")
    run = Run.objects.select_related("event", "instance").get(pk=context.run_id)
    if trouble := calls.trouble(run, params.workflow):
        return failed(trouble, code="invalid")
    due = _due(params)
    path = context.effect_key.removeprefix(f"omni:{run.pk}:")
    made = calls.detached(run, f"{path}:schedule", "", params.workflow, params.inputs, due=due)
    first = Run.objects.values_list("available_at", flat=True).get(pk=made)
    return done(run=made, at=first.isoformat())  # a step that is repeated finds the run it made


def _due(params: ScheduleParams) -> datetime:
    if params.after is not None:
        return queue.now() + timedelta(seconds=seconds(params.after))
    due = to_time(params.at)
    if due is None:
        raise InvalidInput("at is no time")
    return due
