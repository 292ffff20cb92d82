"""Edits, deletions and the phone's own housekeeping ("protocol messages").

They come as messages.edited (the protocol message alone, its key seen by whoever edited), as
messages.delete (the key of the deleted message, seen by us), or inside a new message (1.x).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.bodies import read_body
from connections.providers.whatsapp_evolution.body import open_body
from connections.providers.whatsapp_evolution.frame import Frame, digest
from connections.providers.whatsapp_evolution.identity import (
    Place,
    address_kind,
    bare,
    read_key,
)
from connections.providers.whatsapp_evolution.scalars import (
    as_count,
    as_dict,
    as_list,
    as_moment,
    as_text,
    without_blanks,
)

PROTOCOL_TYPES = {
    "0": "REVOKE", "3": "EPHEMERAL_SETTING", "4": "EPHEMERAL_SYNC_RESPONSE",
    "5": "HISTORY_SYNC_NOTIFICATION", "6": "APP_STATE_SYNC_KEY_SHARE",
    "7": "APP_STATE_SYNC_KEY_REQUEST", "8": "MSG_FANOUT_BACKFILL_REQUEST",
    "9": "INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC",
    "10": "APP_STATE_FATAL_EXCEPTION_NOTIFICATION", "11": "SHARE_PHONE_NUMBER",
    "14": "MESSAGE_EDIT", "16": "PEER_DATA_OPERATION_REQUEST_MESSAGE",
    "17": "PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE", "18": "REQUEST_WELCOME_MESSAGE",
    "19": "BOT_FEEDBACK_MESSAGE", "20": "MEDIA_NOTIFY_MESSAGE",
    "21": "CLOUD_API_THREAD_CONTROL_NOTIFICATION", "22": "LID_MIGRATION_MAPPING_SYNC",
    "23": "REMINDER_MESSAGE",
}

UNREADABLE = frozenset({"message.edited", "message.encrypted", "message.unsupported"})


def read_edited(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One item of messages.edited or send.message.update."""
    protocol = as_dict(item)
    if as_dict(protocol.get("message")) and not protocol.get("editedMessage"):
        body = open_body(protocol["message"])
        protocol = body.fields if body.type == "protocolMessage" else protocol
    key = as_dict(protocol.get("key"))
    if not key:
        return []
    place, viewpoint = _seen_by_editor(key, frame)
    return protocol_drafts(protocol, frame, place=place, viewpoint=viewpoint)


def _seen_by_editor(key: dict[str, Any], frame: Frame) -> tuple[Place, str]:
    """The place of a change, from a key written by whoever made it.

    Our own change names the chat. A contact's change names our own address and says fromMe: its
    chat is then only known through the target message. A LID that says fromMe is one or the other
    unless the account's LID is known; it is taken as ours, so that nothing answers itself.
    """
    place = read_key(key, own=frame.own)
    participant = bare(key.get("participant"))
    if frame.source == "echo" or not place.from_me:
        return place, ""
    if place.kind == "self":
        return replace(place, chat="", kind="", from_me=False), "editor"
    knows_own = any(address_kind(jid) == address_kind(participant or place.chat)
                    for jid in frame.own)
    if participant and knows_own and participant not in frame.own:
        return read_key({**key, "fromMe": False}, own=frame.own), "editor"
    if address_kind(participant or place.chat) == "lid" and not knows_own:
        if participant:
            return place, "unclear"
        return replace(place, chat="", kind="", peer=[]), "unclear"
    return place, ""


def read_deleted(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One item of messages.delete: the key itself, or a stored row that holds it."""
    entry = as_dict(item)
    key = as_dict(entry.get("key")) or entry
    target = as_text(key.get("id"))
    if not target:
        return _cleared(entry, frame)
    return [deletion(target, frame, place=read_key(key, own=frame.own),
                     name=as_text(entry.get("pushName")))]


def _cleared(entry: dict[str, Any], frame: Frame) -> list[EventDraft]:
    """{jid, all: true} empties a chat, {keys: [...]} names several messages."""
    found = [draft for key in as_list(entry.get("keys"))
             for draft in (read_deleted(key, frame, "") if as_dict(key) else [])]
    if found or not as_text(entry.get("jid")):
        return found
    place = read_key({"remoteJid": entry["jid"]}, own=frame.own)
    return [frame.draft(
        "conversation.updated", frame.loose_key("cleared", place.chat), direction="internal",
        conversation_ref=place.chat, conversation_kind=place.kind,
        content={"changes": {"cleared": True}})]


def deletion(target: str, frame: Frame, *, place: Place, name: str = "", own_id: str = "",
             at: datetime | None = None, native: str = "", viewpoint: str = "") -> EventDraft:
    """A message taken back. One deletion is reported twice; its key names the message alone."""
    return frame.draft(
        "message.deleted", f"d:{target}", native=native, at=at, relation="deletes",
        target_message_id=target, provider_message_id=own_id or None,
        metadata={"viewpoint": viewpoint}, **_people(frame, place, name, viewpoint))


def _people(frame: Frame, place: Place, name: str, viewpoint: str) -> dict[str, Any]:
    """As the frame tells, but nobody is named as actor where the key does not say who it was."""
    nobody = {"provider_actor_ref": "", "actor_handles": []} if viewpoint == "unclear" else {}
    return frame.people(place, name=name) | nobody


def protocol_drafts(node: Any, frame: Frame, *, place: Place, own_id: str = "", name: str = "",
                    at: datetime | None = None, viewpoint: str = "") -> list[EventDraft]:
    """The draft of one protocol message.

    own_id: the id of the message that carried it, "" when it came alone. at: that message's time.
    """
    protocol = as_dict(node)
    number = as_text(protocol.get("type"))
    kind = PROTOCOL_TYPES.get(number, number.upper())
    target = as_text(as_dict(protocol.get("key")).get("id"))
    at = at or as_moment(protocol.get("timestampMs"))
    if kind == "REVOKE" and target:
        return [deletion(target, frame, place=place, name=name, own_id=own_id, at=at,
                         native=kind, viewpoint=viewpoint)]
    if protocol.get("editedMessage") is not None and kind in ("MESSAGE_EDIT", ""):
        return changed_message_drafts(protocol["editedMessage"], frame, place=place,
                                      target=target, own_id=own_id, name=name, at=at,
                                      native=kind, viewpoint=viewpoint)
    return [_housekeeping(protocol, kind, frame, place=place, own_id=own_id, at=at)]


def changed_message_drafts(message: Any, frame: Frame, *, place: Place, target: str,
                           own_id: str = "", name: str = "", at: datetime | None = None,
                           native: str = "", viewpoint: str = "") -> list[EventDraft]:
    """An edit: the whole new body, in words of the kind it has.

    content.text_hidden: there is an edit, and nobody but the phones can read it.
    """
    body = open_body(message)
    read = read_body(body)
    content = {**read.get("content", {}), "kind": read["event_type"]}
    if read["event_type"] in UNREADABLE:
        content["text_hidden"] = True
    dedup_key = f"m:{own_id}" if own_id else (
        f"e:{target}:{digest(read.get('text'), content, frame.time_mark(at))}")
    return [frame.draft(
        "message.edited", dedup_key, native=native, at=at, text=read.get("text"),
        relation="replaces", target_message_id=target or None, media_kind=read.get("media_kind"),
        provider_message_id=own_id or None, content=content,
        metadata={"viewpoint": viewpoint, "message_type": body.type},
        **_people(frame, place, name, viewpoint))]


def _housekeeping(protocol: dict[str, Any], kind: str, frame: Frame, *, place: Place, own_id: str,
                  at: datetime | None) -> EventDraft:
    """A changed timer is a change of the chat; what phones tell each other is a system notice."""
    timer = as_count(protocol.get("ephemeralExpiration"))
    fields = frame.people(place)
    content: dict[str, Any]
    if kind == "EPHEMERAL_SETTING":
        event_type, content = "conversation.updated", {"changes": {"ephemeral_seconds": timer}}
    else:
        event_type, content = "message.system", {"notice": kind or "protocolMessage"}
        fields["direction"] = "internal"
    target = as_text(as_dict(protocol.get("key")).get("id"))
    dedup_key = f"m:{own_id}" if own_id else frame.loose_key(
        event_type, place.chat, target, without_blanks(content), at=at)
    return frame.draft(event_type, dedup_key, native=kind, at=at, content=content,
                       provider_message_id=own_id or None, **fields)
