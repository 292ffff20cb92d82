"""What was said before, from the event store."""

from django.db.models import Exists, OuterRef

from actions.ask import Message
from connections.envelope import MESSAGE_KINDS
from events.models import Event, MessageState


def messages_before(event: Event, *, limit: int) -> list[Message]:
    """The last `limit` messages of the conversation, oldest first; deleted ones are left out.

    Ours are the assistant's, everybody else's the user's, with the name in groups.
    """
    if limit <= 0 or event.conversation_id is None:
        return []
    deleted = MessageState.objects.filter(
        instance_id=OuterRef("instance_id"), deleted_at__isnull=False,
        provider_message_id=OuterRef("provider_message_id"))
    earlier = (Event.objects.in_conversation_of(event)
               .filter(event_type__in=MESSAGE_KINDS, pk__lt=event.pk, direction__in=(
                   "inbound", "outbound"))
               .exclude(text=None).exclude(text="").exclude(Exists(deleted))
               .order_by("-occurred_at", "-id")[:limit])
    named = event.conversation.kind == "group"
    return [_message(one, named=named) for one in reversed(earlier)]


def _message(event: Event, *, named: bool) -> Message:
    if event.from_me or event.direction == "outbound":
        return {"role": "assistant", "content": event.text}
    name = f"[{event.sender_name}]: " if named and event.sender_name else ""
    return {"role": "user", "content": name + event.text}
