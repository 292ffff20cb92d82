"""A web chat's conversation as its page shows it: messages of the store, with their present face.

Private notes (direction internal) and sends that failed are never among them.
"""

from collections.abc import Iterable
from typing import Any

from connections.envelope import MESSAGE_KINDS
from events.models import Attachment, Conversation, Event, MessageState
from events.models.event import EventQuerySet

HISTORY = 50
CONTENT_SHOWN = ("poll", "location", "contact")


def history(*, instance_id: int, slug: str, visitor: str, before: int | None = None) -> list[dict]:
    """The newest messages, oldest first. before: only those older than this event id."""
    place = Conversation.objects.filter(instance_id=instance_id, ref=visitor).first()
    if place is None:
        return []
    rows = _shown(instance_id).of_conversation(place.pk)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    newest = list(rows.order_by("-occurred_at", "-id")[:HISTORY])
    return _faces(reversed(newest), instance_id=instance_id, slug=slug)


def messages(ids: list[int], *, instance_id: int, slug: str, visitor: str) -> list[dict]:
    """Those of these events that are messages of the visitor's conversation, oldest first."""
    rows = _shown(instance_id).filter(pk__in=ids, conversation_ref=visitor).order_by("id")
    return _faces(rows, instance_id=instance_id, slug=slug)


def file_of(attachment_id: int, *, instance_id: int, visitor: str) -> Attachment | None:
    """A file of the visitor's own conversation."""
    return Attachment.objects.filter(
        pk=attachment_id, event__instance_id=instance_id, event__conversation_ref=visitor,
        event__direction__in=("inbound", "outbound")).select_related("event__instance").first()


def _shown(instance_id: int) -> EventQuerySet:
    return (Event.objects.filter(instance_id=instance_id, event_type__in=MESSAGE_KINDS,
                                 direction__in=("inbound", "outbound"))
            .exclude(delivery_status="failed").prefetch_related("attachments"))


def _faces(events: Iterable[Event], *, instance_id: int, slug: str) -> list[dict]:
    events = list(events)
    states = {state.provider_message_id: state for state in MessageState.objects.filter(
        instance_id=instance_id,
        provider_message_id__in=[event.provider_message_id for event in events])}
    return [_face(event, states.get(event.provider_message_id), slug=slug) for event in events]


def _face(event: Event, state: MessageState | None, *, slug: str) -> dict[str, Any]:
    kind = event.event_type.removeprefix("message.")
    deleted = bool(state and state.deleted_at)
    text = state.text if state and state.edit_count else event.text
    return {
        "event": event.pk, "id": event.provider_message_id, "kind": kind,
        "own": event.direction == "inbound", "deleted": deleted,
        "edited": bool(state and state.edit_count), "text": "" if deleted else text or "",
        "status": (state.delivery_status if state else None) or event.delivery_status or "",
        "at": event.occurred_at.isoformat(), "reply_to": event.target_message_id,
        "content": event.content if kind in CONTENT_SHOWN and not deleted else {},
        "files": [] if deleted else [_file(file, slug=slug) for file in event.attachments.all()]}


def _file(file: Attachment, *, slug: str) -> dict[str, Any]:
    return {"kind": file.kind, "mime": file.mime or "", "name": file.filename or file.kind,
            "size": file.size_bytes, "url": f"/chat/{slug}/files/{file.pk}/"}
