"""An OutboundMessage in the words of Evolution API: method, endpoint and body.

Source: send, chat and message routers of Evolution API 2.3.6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connections.envelope import OutboundMessage
from connections.providers.whatsapp_evolution.identity import address_kind, bare
from omni.errors import InvalidInput

MAX_PRESENCE_SECONDS = 20.0
PRESENCES = {"typing": "composing", "recording": "recording", "paused": "paused",
             "available": "available", "unavailable": "unavailable"}
HARMLESS = frozenset({"presence", "read"})  # nobody minds when these are lost or repeated


@dataclass(frozen=True, slots=True)
class Call:
    """One request. endpoint: controller/action, the instance is added behind it."""

    endpoint: str
    body: dict[str, Any]
    method: str = "POST"


def number(to: str) -> str:
    """Who to send to: a full JID stays as it is, a phone becomes its digits.

    Raises InvalidInput when neither is there.
    """
    if "@" in to:
        return to
    digits = _digits(to)
    if not digits or any(character.isalpha() for character in to):
        raise InvalidInput(f"'{to}' is neither a JID nor a phone number", code="bad_recipient")
    return digits


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def jid(to: str) -> str:
    """The address inside a message key, which is never a bare phone number."""
    return to if "@" in to else f"{number(to)}@s.whatsapp.net"


def build(message: OutboundMessage) -> Call:
    """The request for `message`. Raises InvalidInput for what cannot be said."""
    builder = BUILDERS.get(message.kind)
    if builder is None:
        raise InvalidInput(f"WhatsApp (Evolution API) cannot send {message.kind}",
                           code="unsupported")
    return builder(message)


def _common(message: OutboundMessage) -> dict[str, Any]:
    """What every new message may have: recipient, quote, mentions."""
    body: dict[str, Any] = {"number": number(message.to)}
    if message.quote and message.target_message_id:
        body["quoted"] = {"key": {"id": message.target_message_id}}
    if message.mention_everyone:
        body["mentionsEveryOne"] = True
    if message.mentions:
        body["mentioned"] = list(dict.fromkeys(map(_mention, message.mentions)))
    return body


def _mention(handle: str) -> str:
    """A phone's digits; a hidden id keeps its domain, without which it would be a phone."""
    address = bare(handle)
    return address if address_kind(address) == "lid" else number(address.partition("@")[0])


def _text(message: OutboundMessage) -> Call:
    if not message.text:
        raise InvalidInput("text is empty", code="empty")
    return Call("message/sendText", {**_common(message), "text": message.text})


def _source(message: OutboundMessage) -> str:
    """The address or the base64 of a file; a data URL is cut to its base64."""
    media = message.media or {}
    source = media.get("url") or media.get("base64")
    if not source:
        raise InvalidInput("media needs url or base64", code="empty")
    return source.partition(",")[2] if source.startswith("data:") else source


def _media(message: OutboundMessage) -> Call:
    media = message.media or {}
    body = {**_common(message), "mediatype": message.kind, "media": _source(message)}
    facts = {"mimetype": media.get("mime"), "caption": message.text,
             "fileName": media.get("filename")}
    return Call("message/sendMedia", body | {name: fact for name, fact in facts.items() if fact})


def _audio(message: OutboundMessage) -> Call:
    """A voice note, which the server converts to ogg opus, or a plain audio file."""
    if not (message.media or {}).get("voice"):
        return _media(message)
    return Call("message/sendWhatsAppAudio", {**_common(message), "audio": _source(message)})


def _sticker(message: OutboundMessage) -> Call:
    return Call("message/sendSticker", {**_common(message), "sticker": _source(message)})


def _location(message: OutboundMessage) -> Call:
    """All four fields are required; a place without a name is named by its coordinates."""
    place = message.content
    if place.get("latitude") is None or place.get("longitude") is None:
        raise InvalidInput("content.latitude and content.longitude are needed", code="empty")
    name = place.get("name") or f"{place['latitude']}, {place['longitude']}"
    return Call("message/sendLocation", {
        **_common(message), "latitude": place["latitude"], "longitude": place["longitude"],
        "name": name, "address": place.get("address") or name})


def _contact(message: OutboundMessage) -> Call:
    people = message.content.get("contacts") or []
    if not people:
        raise InvalidInput("content.contacts is empty", code="empty")
    return Call("message/sendContact", {**_common(message), "contact": [
        _card(person) for person in people]})


def _card(person: dict[str, Any]) -> dict[str, Any]:
    digits = _digits(str(person.get("phone") or ""))
    if not digits:
        raise InvalidInput("a contact card needs a phone number", code="bad_recipient")
    facts = {name: person[name] for name in ("organization", "email", "url") if person.get(name)}
    return {"fullName": person.get("full_name") or f"+{digits}", "wuid": digits,
            "phoneNumber": f"+{digits}", **facts}


def _poll(message: OutboundMessage) -> Call:
    poll = message.content
    options = poll.get("options") or []
    if not 2 <= len(options) <= 10:
        raise InvalidInput("content.options must be 2 to 10 texts", code="bad_poll")
    return Call("message/sendPoll", {
        **_common(message), "name": poll.get("name") or message.text or "",
        "selectableCount": poll.get("selectable", 1), "values": options})


def _key(message: OutboundMessage) -> dict[str, Any]:
    """The key of the message something is done to. A group needs its author as well."""
    if not message.target_message_id:
        raise InvalidInput(f"{message.kind} needs target_message_id", code="empty")
    key = {"id": message.target_message_id, "remoteJid": jid(message.to),
           "fromMe": message.target_from_me}
    participant = message.content.get("participant")
    return {**key, "participant": participant} if participant else key


def _reaction(message: OutboundMessage) -> Call:
    return Call("message/sendReaction", {"key": _key(message),
                                         "reaction": message.content.get("emoji") or ""})


def _presence(message: OutboundMessage) -> Call:
    """Shown for `seconds`; the server keeps the request open as long as it shows it."""
    state = PRESENCES.get(message.content.get("state", "typing"))
    if state is None:
        raise InvalidInput(f"content.state must be one of {', '.join(PRESENCES)}", code="bad_state")
    return Call("chat/sendPresence", {
        "number": number(message.to), "presence": state,
        "delay": int(presence_seconds(message) * 1000)})


def presence_seconds(message: OutboundMessage) -> float:
    if message.content.get("state") == "paused":
        return 0.0
    return min(max(float(message.content.get("seconds") or 1.0), 0.0), MAX_PRESENCE_SECONDS)


def _read(message: OutboundMessage) -> Call:
    return Call("chat/markMessageAsRead", {"readMessages": [_key(message)]})


def _edit(message: OutboundMessage) -> Call:
    """Only our own messages can be edited."""
    if not message.text:
        raise InvalidInput("text is empty", code="empty")
    return Call("chat/updateMessage", {
        "number": number(message.to), "key": {**_key(message), "fromMe": True},
        "text": message.text})


def _delete(message: OutboundMessage) -> Call:
    return Call("chat/deleteMessageForEveryone", _key(message), method="DELETE")


BUILDERS: dict[str, Callable[[OutboundMessage], Call]] = {
    "text": _text, "image": _media, "video": _media, "document": _media, "audio": _audio,
    "sticker": _sticker, "location": _location, "contact": _contact, "poll": _poll,
    "reaction": _reaction, "presence": _presence, "read": _read, "edit": _edit,
    "delete": _delete,
}
