"""Neutral events by name, one or more per common kind, for the `tests:` of workflows. Pure data.

A name is `<kind>__<variant>`; the kind alone stands for its first variant. All are of one person,
Ana, in a direct chat of the account `example`; a test states what differs.
"""

from collections.abc import Mapping
from typing import Any

ANA = "+351922000002"
BASE: Mapping[str, Any] = {
    "provider": "webhook", "direction": "inbound", "source": "live", "from_me": False,
    "conversation_ref": ANA, "provider_actor_ref": ANA, "sender_name": "Ana",
    "contact_handle": ANA, "provider_message_id": "message-1",
    "conversation": {"kind": "direct", "ref": ANA, "title": "", "tags": []},
    "contact": {"name": "Ana", "labels": [], "lists": [], "handles": [ANA]},
    "instance": {"slug": "example", "name": "Example", "labels": []},
}
_FROM_US = {"direction": "outbound", "from_me": True, "sender_name": "Example",
            "provider_actor_ref": "example"}
_ABOUT = {"target_message_id": "message-0"}
_GROUP = {"conversation_ref": "group-1", "conversation": {
    "kind": "group", "ref": "group-1", "title": "Neighbours", "tags": []}}


def _file(kind: str, mime: str, **more: Any) -> dict[str, Any]:
    return {"media": {"kind": kind, "mime": mime, "size": 20_000, "state": "stored", **more}}


def _status(word: str) -> dict[str, Any]:
    return {**_FROM_US, **_ABOUT, "provider_message_id": None, "relation": "status_of",
            "delivery_status": word}


EVENTS: Mapping[str, Mapping[str, Any]] = {
    "message.text__plain": {"text": "hello"},
    "message.text__group": {"text": "hello all", **_GROUP},
    "message.text__mention": {"text": "@example hello", "mentions_self": True, **_GROUP},
    "message.text__reply": {"text": "yes", "relation": "replies_to", **_ABOUT},
    "message.text__outbound": {"text": "hello Ana", **_FROM_US},
    "message.text__own_note": {"text": "buy milk", **_FROM_US,
                               "conversation": {"kind": "self", "ref": ANA, "tags": []}},
    "message.audio__voice_note": _file("audio", "audio/ogg", is_voice_note=True, duration_s=7.0),
    "message.audio__forwarded": {**_file("audio", "audio/ogg", is_voice_note=True,
                                         duration_s=31.0), "is_forwarded": True},
    "message.image__caption": {"text": "the receipt", **_file(
        "image", "image/jpeg", caption="the receipt", width=800, height=600)},
    "message.image__view_once": {**_file("image", "image/jpeg"), "is_view_once": True},
    "message.video__plain": _file("video", "video/mp4", duration_s=12.0),
    "message.document__pdf": _file("document", "application/pdf", filename="order.pdf"),
    "message.sticker__plain": _file("sticker", "image/webp"),
    "message.location__plain": {"content": {"location": {
        "latitude": 38.7169, "longitude": -9.1399, "name": "Lisbon"}}},
    "message.contact__plain": {"content": {"contacts": [
        {"full_name": "Rui", "phone": "+351922000003"}]}},
    "message.poll__plain": {"content": {"poll": {
        "name": "When?", "options": ["today", "tomorrow"], "selectable": 1}}},
    "message.reaction__thumb": {"relation": "reacts_to", **_ABOUT,
                                "content": {"reaction": {"emoji": "👍"}}},
    "message.edited__text": {"text": "hello!", "relation": "replaces", **_ABOUT},
    "message.deleted__plain": {"relation": "deletes", **_ABOUT},
    "message.status.delivered__plain": _status("delivered"),
    "message.status.read__plain": _status("read"),
    "message.status.failed__plain": {**_status("failed"), "error_code": "unreachable"},
    "poll.vote__plain": {"relation": "votes_on", **_ABOUT,
                         "content": {"vote": {"options": ["today"]}}},
    "interaction.button__plain": {"text": "Yes", "relation": "answers", **_ABOUT,
                                  "content": {"interaction": {"id": "yes", "title": "Yes"}}},
    "conversation.created__plain": {"provider_message_id": None},
    "participant.joined__group": {"provider_message_id": None, **_GROUP},
    "call.missed__plain": {"provider_message_id": None},
    "connection.closed__plain": {"provider_message_id": None, "direction": "internal",
                                 "conversation": None, "contact": None},
    "ticket.created__plain": {"subject": "Broken lamp", "text": "The lamp came broken."},
    "webhook.received__json": {
        "provider_message_id": None, "conversation": None, "contact": None,
        "content": {"payload": {"state": "paid", "number": 1207, "total": 120,
                                "phone": ANA}}},
}
KINDS = tuple(dict.fromkeys(name.partition("__")[0] for name in EVENTS))
NAMES: tuple[str, ...] = (*EVENTS, *KINDS)


def facts_of(name: str) -> dict[str, Any]:
    """The fields of a fixture, over those all share. Raises KeyError for a name that is none."""
    if name not in EVENTS:
        name = next((full for full in EVENTS if full.partition("__")[0] == name), name)
    return over(BASE, {"event_type": name.partition("__")[0], **EVENTS[name]})


def over(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `change`; mappings about the event's rows are merged one deep."""
    merged = dict(base)
    for name, value in change.items():
        before = merged.get(name)
        if name in _MERGED and isinstance(before, Mapping) and isinstance(value, Mapping):
            value = {**before, **value}
        merged[name] = value
    return merged


_MERGED = ("conversation", "contact", "instance", "media", "content")
