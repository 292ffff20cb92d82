"""The columns of an event and of an attachment as the store writes them: names, types, values.

Plain data; `events.store.ingest` turns it into rows.
"""

from dataclasses import replace
from operator import attrgetter
from typing import Any

from connections.envelope import (
    EFFECT_RELATIONS,
    NEWS_RELATIONS,
    Attachment,
    EventDraft,
    Handle,
    moment_of,
)
from connections.storable import storable_ref as ref
from events.store.units import Unit

_COPIED = {  # column -> SQL type; the draft has an attribute of the same name
    "event_type": "text", "provider_event_type": "text", "direction": "text", "source": "text",
    "from_me": "bool", "sender_is_bot": "bool", "auto_generated": "bool",
    "conversation_ref": "text", "thread_ref": "text", "provider_actor_ref": "text",
    "sender_name": "text", "contact_handle": "text", "provider_message_id": "text",
    "relation": "text", "target_message_id": "text", "client_ref": "text", "text": "text",
    "subject": "text", "media_kind": "text", "is_forwarded": "bool", "is_view_once": "bool",
    "mentions_self": "bool", "delivery_status": "text", "error_code": "text",
    "provider_sequence": "bigint", "content": "jsonb", "context": "jsonb",
    "provider_metadata": "jsonb", "raw_index": "int", "normalizer": "text"}
_copied = attrgetter(*_COPIED)
_OWN = {
    "instance_id": "bigint", "provider": "text", "raw_id": "bigint", "dedup_key": "text",
    "fingerprint": "text", "conversation_id": "bigint", "actor_id": "bigint",
    "contact_id": "bigint", "caused_by_id": "bigint", "trace_id": "uuid",
    "occurred_at": "timestamptz", "occurred_at_source": "text", "received_at": "timestamptz",
    "state": "text", "hop": "int", "routed_at": "timestamptz"}
_TYPES = {**_OWN, **_COPIED}
NAMES = tuple(_TYPES)
TYPED = ", ".join(f"{name} {kind}" for name, kind in {**_TYPES, "contact_via": "bigint"}.items())

# What is read at the moment of storing, because another process may have changed it since it was
# looked up: where a named message is, which row stands for a merged conversation, whose a handle is
# (contact_via: the handle of the person on the other side), and that person's phone.
_WHOSE = "coalesce((SELECT h.contact_id FROM omni_handles h WHERE h.id = d.contact_via), " \
    "d.contact_id)"
_KEPT = "(SELECT coalesce(c.merged_into_id, c.id) FROM omni_conversations c WHERE c.id = {})"
# Of a place a name was taken from, events under that name are filed in the one it has of its own.
_PLACE = """(SELECT CASE WHEN c.kept_apart = '[]' THEN coalesce(c.merged_into_id, c.id)
    ELSE coalesce((SELECT coalesce(o.merged_into_id, o.id) FROM omni_conversations o
                   WHERE o.instance_id = d.instance_id AND o.ref = d.conversation_ref),
                  c.merged_into_id, c.id) END
    FROM omni_conversations c WHERE c.id = d.conversation_id)"""
_AT_STORING = {
    "conversation_id": _KEPT.format(f"""coalesce(
        CASE WHEN d.relation IN ({", ".join(f"'{name}'" for name in NEWS_RELATIONS)})
                OR d.conversation_id IS NULL AND d.relation IN (
                    {", ".join(f"'{name}'" for name in EFFECT_RELATIONS)}) THEN (
            SELECT t.conversation_id FROM omni_events t WHERE t.instance_id = d.instance_id
            AND t.provider_message_id = d.target_message_id AND t.event_type LIKE 'message.%%'
            AND t.conversation_id IS NOT NULL ORDER BY t.id LIMIT 1) END, {_PLACE})"""),
    "contact_id": _WHOSE,
    "contact_handle": f"""CASE WHEN d.contact_handle <> '' THEN d.contact_handle ELSE coalesce((
        SELECT h.value FROM omni_handles h JOIN omni_handle_instances s ON s.handle_id = h.id
            AND s.instance_id = d.instance_id
        WHERE h.contact_id = {_WHOSE} AND h.kind = 'phone' AND h.provider = d.provider
        ORDER BY h.id LIMIT 1), '') END"""}


STORED_AS = ", ".join(_AT_STORING.get(name, f"d.{name}") for name in NAMES)  # values of NAMES

_CUT = {"provider_event_type": 128, "error_code": 64, "client_ref": 255, "normalizer": 64,
        "media_kind": 16, "delivery_status": 16, "relation": 16}
_EMPTY_TEXT = ("provider_event_type", "conversation_ref", "thread_ref", "provider_actor_ref",
               "sender_name", "contact_handle", "relation", "normalizer")
TEXT_MAX = 64 * 1024  # characters; the archive has the rest

_REFS = ("conversation_ref", "thread_ref", "provider_actor_ref", "contact_ref",
         "provider_message_id", "target_message_id", "conversation_title", "sender_name",
         "contact_name")


def fit(draft: EventDraft) -> None:
    """Make the names in a draft storable, in place: equal ones stay equal, others stay apart."""
    for name in _REFS:
        value = getattr(draft, name)
        if value:
            setattr(draft, name, ref(value))
    draft.conversation_aliases = [ref(alias) for alias in draft.conversation_aliases]
    draft.conversation_guesses = [ref(guess) for guess in draft.conversation_guesses]
    draft.places_together = [[ref(name) for name in names] for names in draft.places_together]
    draft.actor_handles = _fit_handles(draft.actor_handles)
    draft.contact_handles = _fit_handles(draft.contact_handles)
    draft.people_together = [_fit_handles(handles) for handles in draft.people_together]


def _fit_handles(handles: list[Handle]) -> list[Handle]:
    return [handle if (value := ref(handle.value)) == handle.value
            else replace(handle, value=value) for handle in handles]


def of(draft: EventDraft, *, unit: Unit, key: str, fingerprint: str,
       conversation_id: int | None, actor_id: int | None, contact_id: int | None,
       contact_via: int | None = None) -> dict[str, Any]:
    """The row of one draft, JSON-ready. A time no clock can have becomes the time of receipt."""
    row: dict[str, Any] = dict(zip(_COPIED, _copied(draft), strict=True))
    if draft.attachments and not row["media_kind"]:
        row["media_kind"] = draft.attachments[0].kind  # who reads files asks only where there are
    for name in _EMPTY_TEXT:
        row[name] = row[name] or ""
    for name, length in _CUT.items():
        if row[name]:
            row[name] = row[name][:length]
    for name in ("text", "subject", "sender_name"):
        if row[name] and len(row[name]) > TEXT_MAX:
            row[name] = row[name][:TEXT_MAX]
            row["context"] = {**row["context"], "text_cut": True}
    sequence = row["provider_sequence"]
    if isinstance(sequence, int) and not -2 ** 63 <= sequence < 2 ** 63:
        row["provider_sequence"] = None
    occurred, source = moment_of(draft, received_at=unit.received_at)
    row.update(
        instance_id=unit.instance_id, provider=unit.provider, dedup_key=key,
        fingerprint=fingerprint, raw_id=unit.raw.id if unit.raw else None,
        conversation_id=conversation_id, actor_id=actor_id, contact_id=contact_id,
        contact_via=contact_via,
        caused_by_id=unit.caused_by_id, trace_id=str(unit.trace_id), hop=unit.hop,
        occurred_at=occurred.isoformat(), occurred_at_source=source,
        received_at=unit.received_at.isoformat(),
        state="not_routed" if unit.routed else "stored",
        routed_at=unit.received_at.isoformat() if unit.routed else None)
    return row


_ATTACHMENT_TYPES = {
    "kind": "text", "mime": "text", "filename": "text", "size_bytes": "bigint", "width": "int",
    "height": "int", "duration_ms": "int", "sha256": "text", "provider_media_id": "text",
    "source_url": "text", "url_expires_at": "timestamptz", "auth_required": "bool",
    "encryption": "jsonb", "caption": "text", "is_voice_note": "bool", "is_animated": "bool",
    "inline_path": "text"}
ATTACHMENT_NAMES = tuple(_ATTACHMENT_TYPES)
ATTACHMENT_TYPED = "position int, " + ", ".join(
    f"{name} {kind}" for name, kind in _ATTACHMENT_TYPES.items())
INSERT_ATTACHMENTS = f"""
INSERT INTO omni_attachments (event_id, position, {", ".join(ATTACHMENT_NAMES)},
                              state, storage_key, error)
SELECT {{event_id}}, a.position, {", ".join(f"a.{name}" for name in ATTACHMENT_NAMES)},
       'pending', '', ''"""
_INT32 = 2 ** 31 - 1


def of_attachment(attachment: Attachment, *, event_id: int | None, position: int) -> dict[str, Any]:
    """The row of one attachment; sizes no file can have become null."""
    row: dict[str, Any] = {name: getattr(attachment, name) for name in ATTACHMENT_NAMES}
    for name in ("width", "height", "duration_ms"):
        if row[name] is not None and not 0 <= row[name] <= _INT32:
            row[name] = None
    if row["size_bytes"] is not None and not 0 <= row["size_bytes"] < 2 ** 62:
        row["size_bytes"] = None
    if row["url_expires_at"] is not None:
        row["url_expires_at"] = row["url_expires_at"].isoformat()
    return {**row, "event_id": event_id, "position": position}
