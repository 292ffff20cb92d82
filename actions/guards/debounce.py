"""One answer for several short messages."""

from pydantic import Field

from actions.base import Context, Outcome, Params, action, done, stop
from connections.envelope import MESSAGE_KINDS
from events.models import Event


class DebounceParams(Params):
    seconds: float = Field(5.0, ge=0.1, le=3600, description="Quiet time, in seconds.")


@action("guard.debounce", params=DebounceParams, effects="read")
def debounce(event: Event, params: DebounceParams, context: Context) -> Outcome:
    """Let the first message of a burst pass and stop the others.

    A burst is one person's messages in one conversation. To answer once after the burst, with all
    its texts, use the workflow's own `debounce` instead.
    """
    if event.conversation_id is None and not event.provider_actor_ref:
        return done()  # nobody's and nowhere: it has nothing in common with any other
    burst = (Event.objects.from_actor_of(event).in_conversation_of(event)
             .shortly_before(event, seconds=params.seconds)
             .filter(event_type__in=MESSAGE_KINDS, direction=event.direction))
    return stop("part of a burst") if burst.exists() else done()
