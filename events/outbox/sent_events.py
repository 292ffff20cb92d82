"""The event of a send: what the store is told of a message that went out."""

from datetime import UTC, datetime

from connections.envelope import Attachment, EventDraft, OutboundMessage, SendResult
from events.models import Event, OutboxMessage
from events.people import other_names
from events.store import ingest
from events.store.units import Unit

MESSAGE_KINDS = {kind: f"message.{kind}" for kind in (
    "text", "image", "audio", "video", "document", "sticker", "location", "contact", "poll")}
EFFECT_KINDS = {"reaction": "message.reaction", "edit": "message.edited",
                "delete": "message.deleted", "presence": "presence.typing",
                "read": "conversation.read"}
_RELATIONS = {"reaction": "reacts_to", "edit": "replaces", "delete": "deletes"}


def record(unit: Unit) -> int | None:
    """Store the event of a sent message; its id, also where its echo was there first."""
    stored = ingest.persist([unit])[0]
    return (stored.event_ids or stored.known_ids or [None])[0]


def unit_of(row: OutboxMessage, message: OutboundMessage, result: SendResult,
            caused_by: Event | None) -> Unit:
    """The outbound event of a sent message; its echo, before or after, is the same event."""
    now = datetime.now(UTC)
    is_message = message.kind in MESSAGE_KINDS
    message_id = result.provider_message_id if is_message else None
    ref = row.conversation.ref if row.conversation else message.to
    aliases, guesses = _answered(row, message, result)
    draft = EventDraft(
        event_type=MESSAGE_KINDS.get(message.kind) or EFFECT_KINDS[message.kind],
        dedup_key=f"m:{message_id}" if message_id else f"o:{row.effect_key}",
        provider_event_type=f"omni.send.{message.kind}", direction="outbound", source="api",
        from_me=True, auto_generated=caused_by is not None, conversation_ref=ref,
        conversation_aliases=aliases, conversation_guesses=guesses,
        provider_message_id=message_id, client_ref=row.effect_key,
        relation=_relation(message), target_message_id=message.target_message_id,
        text=message.text, media_kind=message.kind if message.media else None,
        delivery_status="sent" if is_message else None, occurred_at=now,
        thread_ref=message.thread_ref,
        content=message.content, context={"mentions": message.mentions} if message.mentions else {},
        attachments=_attachments(message), normalizer="omni.deliver@1")
    unit = Unit(
        instance_id=row.instance_id, provider=row.instance.provider, drafts=[draft],
        received_at=now, caused_by_id=caused_by.pk if caused_by else None,
        hop=caused_by.hop + 1 if caused_by else 0)
    if caused_by is not None:
        unit.trace_id = caused_by.trace_id
    return unit


def _answered(row: OutboxMessage, message: OutboundMessage,
              result: SendResult) -> tuple[list[str], list[str]]:
    if row.conversation is None:
        return [], []
    return other_names.answered(
        result.conversation_ref, message_id=result.provider_message_id, asked=message.to,
        instance=row.instance, conversation=row.conversation)


def _attachments(message: OutboundMessage) -> list[Attachment]:
    """The file of a sent message, where it was given by address; bytes are not kept."""
    if not message.media or not message.media.get("url"):
        return []
    return [Attachment(kind=message.kind, mime=message.media.get("mime"),
                       filename=message.media.get("filename"), source_url=message.media["url"])]


def _relation(message: OutboundMessage) -> str:
    if message.kind in _RELATIONS:
        return _RELATIONS[message.kind]
    return "replies_to" if message.quote and message.target_message_id else ""
