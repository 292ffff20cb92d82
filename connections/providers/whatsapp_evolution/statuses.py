"""What became of a message: messages.update, in its flat and in its older nested form."""

from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.body import open_body
from connections.providers.whatsapp_evolution.frame import Frame, digest
from connections.providers.whatsapp_evolution.identity import (
    Place,
    bare,
    is_surely_not_own,
    pair,
    read_key,
)
from connections.providers.whatsapp_evolution.lifecycle import (
    changed_message_drafts,
    deletion,
    protocol_drafts,
)
from connections.providers.whatsapp_evolution.scalars import (
    as_dict,
    as_list,
    as_text,
    without_blanks,
)

# Names and numbers of the phone protocol, then the names Cloud accounts use.
STATUSES = {
    "ERROR": "failed", "0": "failed",
    "PENDING": "queued", "1": "queued",
    "SERVER_ACK": "sent", "2": "sent",
    "DELIVERY_ACK": "delivered", "3": "delivered",
    "READ": "read", "4": "read",
    "PLAYED": "played", "5": "played",
    "SENT": "sent", "DELIVERED": "delivered", "FAILED": "failed",
}
BY_THE_READER = frozenset({"delivered", "read", "played"})
REVOKED_STUBS = ("1", "REVOKE")


def status_name(value: Any) -> str | None:
    """The neutral delivery status of a native one; None for DELETED, absent and unknown."""
    return STATUSES.get(as_text(value).upper())


def read_update(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One entry of messages.update: a status, new poll counts, or "something changed"."""
    entry = as_dict(item)
    change = as_dict(entry.get("update")) or entry
    key = as_dict(entry.get("key")) or {**entry, "id": entry.get("keyId")}
    target = as_text(key.get("id"))
    if not target:
        return []
    place = _with_reader(read_key(key, own=frame.own), bare(key.get("participant")), frame)
    if as_text(change.get("messageStubType")) in REVOKED_STUBS:
        return [deletion(target, frame, place=place)]
    if as_dict(change.get("message")):
        body = open_body(change["message"])
        if body.type == "protocolMessage":
            return protocol_drafts(body.node, frame, place=place)
        return changed_message_drafts(change["message"], frame, place=place, target=target)
    if as_list(change.get("pollUpdates")):
        return [_tally(change, frame, place=place, target=target)]
    name = status_name(change.get("status"))
    if name is None:
        return [_changed(change, frame, place=place, target=target)]
    return [_status(name, change, frame, place=place, target=target,
                    participant=bare(key.get("participant")),
                    row=as_text(entry.get("messageId")))]


def _with_reader(place: Place, participant: str, frame: Frame) -> Place:
    """In a direct chat the reader of our own message is the other side: a second address of theirs.

    Only where it cannot be our own.
    """
    if (place.kind == "direct" and place.from_me and len(place.peer) == 1
            and is_surely_not_own(participant, frame.own)):
        place.peer = pair(place.chat, participant, own=frame.own)
    return place


def _status(name: str, change: dict[str, Any], frame: Frame, *, place: Place, target: str,
            participant: str, row: str) -> EventDraft:
    """One status of one message.

    A direct chat is reported once under the phone and once under the LID, so its key leaves the
    participant out.
    """
    reader = participant if place.kind not in ("direct", "self") else ""
    code = next((as_text(one) for one in as_list(change.get("messageStubParameters"))), "")
    return frame.draft(
        f"message.status.{name}", f"s:{target}:{name}:{reader}", relation="status_of",
        target_message_id=target, delivery_status=name, error_code=code or None,
        native=as_text(change.get("status")), metadata={"row_id": row},
        **frame.people(place) | _who(name, frame, place=place, participant=participant))


def _who(name: str, frame: Frame, *, place: Place, participant: str) -> dict[str, Any]:
    """The actor of a status: whoever received or read it; nobody for what the server did.

    Our own message was read by the other side, their message by us.
    """
    if place.from_me:
        receiver = place.peer or [jid for jid in (participant,) if jid and jid not in frame.own]
        about = {}
    else:
        receiver = [frame.owner] if frame.owner else []
        about = frame.person(place.peer or place.author)
    actor = frame.person(receiver if name in BY_THE_READER else [])
    return {"provider_actor_ref": actor["contact_ref"],
            "actor_handles": actor["contact_handles"], **about}


def _changed(change: dict[str, Any], frame: Frame, *, place: Place, target: str) -> EventDraft:
    """A change without a readable status. DELETED stands here too: servers write it for edits."""
    status = as_text(change.get("status"))
    return frame.draft(
        "message.updated", f"u:{target}:{digest(status, frame.time_mark())}", native=status,
        relation="revises", target_message_id=target,
        content=without_blanks({"native_status": status}), **frame.happening(place))


def _tally(change: dict[str, Any], frame: Frame, *, place: Place, target: str) -> EventDraft:
    tally = [{"option": as_text(entry.get("name")),
              "voters": [bare(one) for one in as_list(entry.get("voters")) if bare(one)]}
             for entry in map(as_dict, as_list(change["pollUpdates"]))]
    return frame.draft(
        "poll.updated", f"u:{target}:{digest(tally, frame.time_mark())}", relation="revises",
        target_message_id=target, content={"tally": tally}, **frame.happening(place))
