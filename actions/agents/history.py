"""What was said before, from the event store."""

from typing import Any

from django.db.models import Exists, OuterRef, Subquery

from actions.ask import Message
from connections.envelope import MESSAGE_KINDS
from events.models import Event, MessageState


def messages_before(event: Event, *, limit: int) -> list[Message]:
    """The last `limit` messages of the conversation, oldest first, with the text they have now;
    deleted ones are left out.

    Ours are the assistant's, everybody else's the user's, with the name in groups.
    """
    if limit <= 0 or event.conversation_id is None:
        return []
    states = MessageState.objects.filter(
        instance_id=OuterRef("instance_id"),
        provider_message_id=OuterRef("provider_message_id"))
    deleted = states.filter(deleted_at__isnull=False)
    edited = states.filter(edited_at__isnull=False).values("text")[:1]
    earlier = (Event.objects.in_conversation_of(event)
               .filter(event_type__in=MESSAGE_KINDS, pk__lt=event.pk, direction__in=(
                   "inbound", "outbound"))
               .exclude(text=None).exclude(text="").exclude(Exists(deleted))
               .annotate(edited_text=Subquery(edited))
               .order_by("-occurred_at", "-id")[:limit])
    named = event.conversation.kind == "group"
    return [_message(one, named=named) for one in reversed(earlier)]


def _message(event: Any, *, named: bool) -> Message:
    text = event.edited_text or event.text
    if event.from_me or event.direction == "outbound":
        return {"role": "assistant", "content": text}
    name = f"[{event.sender_name}]: " if named and event.sender_name else ""
    return {"role": "user", "content": name + text}
