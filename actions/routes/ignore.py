"""The end of a run that has nothing to do."""

from pydantic import Field

from actions.base import Context, Outcome, Params, action, stop
from events.models import Event


class IgnoreParams(Params):
    reason: str = Field("ignored", min_length=1, max_length=500,
                        description="Why, for people who look at the run.")


@action("route.ignore", params=IgnoreParams)
def ignore(event: Event, params: IgnoreParams, context: Context) -> Outcome:
    """End the run as ignored, with a reason."""
    return stop(params.reason)
