"""What was made of an event (its transcript, its description) as an event of its own."""

from typing import Literal

from django.db import transaction
from pydantic import Field

from actions import own_events
from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event


class DeriveParams(Params):
    kind: Literal["transcript", "description", "summary", "translation", "extract"] = Field(
        description="What it is: transcript, description, summary, translation or extract.")
    text: str | None = Field(description="The text; empty keeps nothing.")
    relates_to: int = Field(ge=1, le=2 ** 63 - 1, description="Number of the event it was made "
                            "of: event.id.")


class DeriveOutput(Output):
    event_id: int | None = Field(None, description="Number of the derived event.")
    event_type: str = Field("", description="Its kind: system.derived.<kind>.")


@action("persist.derive", params=DeriveParams, output=DeriveOutput, effects="write",
        idempotent=True, timeout=15.0)
def derive(event: Event, params: DeriveParams, context: Context) -> Outcome:
    """Store what was made of an event (transcript, description, ...) beside it, once.

    The new event has the relation derived_from and stands in the conversation of its parent. It is
    internal and no message, so that it wakes nobody who answers messages.
    """
    if not (params.text or "").strip():
        return Outcome("skipped", DeriveOutput().model_dump(), "there is no text to keep",
                       "empty_text")
    parent = Event.objects.filter(pk=params.relates_to,
                                  instance_id=context.instance.pk).first()
    if parent is None:
        return failed(f"instance '{context.instance.slug}' has no event {params.relates_to}",
                      code="invalid")
    event_type, key = f"system.derived.{params.kind}", f"derived:{context.effect_key}"[:255]
    known = Event.objects.filter(instance_id=parent.instance_id, dedup_key=key).first()
    if known is not None:
        return done(event_id=known.pk, event_type=known.event_type)
    with transaction.atomic():
        made = own_events.store(
            event_type, dedup_key=key, caused_by=event, place=parent, text=params.text,
            content={"kind": params.kind, "of": parent.pk, "run": context.run_id},
            relation="derived_from", target_message_id=parent.provider_message_id,
            normalizer="omni.derive@1")
        # The router links an event to the message it names; a parent that is no message has no name
        Event.objects.filter(pk=made, target_event=None).update(
            target_event=parent, contact=parent.contact_id)
    return done(event_id=made, event_type=event_type)
