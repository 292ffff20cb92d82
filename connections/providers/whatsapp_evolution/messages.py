"""New messages: one item of messages.upsert, messages.set or send.message becomes one draft."""

from datetime import datetime
from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.bodies import read_body
from connections.providers.whatsapp_evolution.body import Body, open_body
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import Place, read_key
from connections.providers.whatsapp_evolution.interactive import CLOUD_ANSWERS
from connections.providers.whatsapp_evolution.lifecycle import protocol_drafts
from connections.providers.whatsapp_evolution.scalars import (
    as_bool,
    as_dict,
    as_int,
    as_moment,
    as_text,
)
from connections.providers.whatsapp_evolution.statuses import status_name
from connections.providers.whatsapp_evolution.surroundings import context_info, read_surroundings

CIPHERTEXT_STUBS = ("2", "CIPHERTEXT")


def read_message(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """The draft of one message that stands at `path` in the payload; [] when it is none."""
    message = as_dict(item)
    key = as_dict(message.get("key"))
    if not key and not as_dict(message.get("message")):
        return []
    body = open_body(message.get("message"), path=f"{path}.message")
    body.files.look_into(message, path)
    place = read_key(key, own=frame.own)
    at = as_moment(message.get("messageTimestamp"))
    if body.type == "protocolMessage":
        return protocol_drafts(body.node, frame, place=place, own_id=as_text(key.get("id")),
                               name=as_text(message.get("pushName")), at=at)
    return [_new_message(message, key, body, place=place, frame=frame, at=at)]


def _new_message(message: dict[str, Any], key: dict[str, Any], body: Body, *, place: Place,
                 frame: Frame, at: datetime | None) -> EventDraft:
    native = as_text(message.get("messageType")) or body.type
    said = read_surroundings(context_info(message, body), body, frame=frame)
    read = _read_or_explain(message, body, native)
    fields = {**said, **{name: value for name, value in read.items() if value is not None}}
    event_type = fields.pop("event_type")
    message_id = as_text(key.get("id")) or None
    if message_id:
        dedup_key = f"m:{message_id}"
    else:
        dedup_key = frame.loose_key(event_type, place.chat, place.author, fields.get("text"),
                                    fields.get("target_message_id"), read.get("content"), at=at)
    if place.from_me:
        fields["delivery_status"] = status_name(message.get("status"))
    return frame.draft(
        event_type, dedup_key, native=native, at=at, provider_message_id=message_id,
        is_view_once=body.is_view_once or as_bool(key.get("isViewOnce")),
        metadata=_metadata(message, key, body, place),
        **frame.people(place, name=as_text(message.get("pushName"))), **fields)


def _read_or_explain(message: dict[str, Any], body: Body, native: str) -> dict[str, Any]:
    """What the body says; without a body, what the server's stub says instead."""
    if body.type:
        read = read_body(body)
        if body.type == "conversation" and native in CLOUD_ANSWERS:
            read = {"event_type": CLOUD_ANSWERS[native], "text": read["text"],
                    "relation": "answers", "content": {"title": read["text"]}}
        return read
    stub = as_text(message.get("messageStubType"))
    if stub in CIPHERTEXT_STUBS:
        return {"event_type": "message.encrypted", "content": {"unavailable": "not decrypted"}}
    if stub:
        parameters = message.get("messageStubParameters")
        return {"event_type": "message.system", "content": {
            "notice": stub, "parameters": [as_text(one) for one in parameters]
            if isinstance(parameters, list) else []}}
    return read_body(body)


def _metadata(message: dict[str, Any], key: dict[str, Any], body: Body,
              place: Place) -> dict[str, Any]:
    """Native facts no column holds; small, and never keys, thumbnails or media."""
    addresses = place.author or place.peer
    return {
        "device": as_text(message.get("source")),
        "message_type": as_text(message.get("messageType")) or body.type,
        "wrappers": body.wrappers,
        "addressing": as_text(key.get("addressingMode")),
        "alternate": addresses[1] if len(addresses) > 1 else "",
        "participant": as_text(key.get("participant")),
        "chatwoot_message_id": as_int(message.get("chatwootMessageId")),
    }
