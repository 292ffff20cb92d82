"""What an Evolution API server says of each kind of line: (event, data). Pure.

Source of the shapes: webhook bodies of Evolution API 2.3.6.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from omni.demo import files
from omni.demo.bakery import CAST, GROUP, OWNER
from omni.demo.script import Line, Turn

STRANGER = ("12025550199@s.whatsapp.net", "Stranger")
_REASONS = {"close": 428}
Told = tuple[str, Any]


def _address(who: str) -> str:
    return CAST.get(who, STRANGER)[0]


def _chat(line: Line) -> str:
    return GROUP[0] if line.facts.get("group") else _address(line.facts.get("to", line.who))


def _upsert(line: Line, turn: Turn, kind: str, message: dict[str, Any]) -> Told:
    """A new message of type `kind`."""
    ref = line.facts.get("ref") or f"{line.kind}-{line.at}"
    is_ours = line.who == "staff"
    key = {"remoteJid": _chat(line), "fromMe": is_ours, "id": turn.id_of(ref)}
    if line.facts.get("group"):
        key["participant"] = _address(line.who)
    data = {"key": key, "pushName": CAST.get(line.who, STRANGER)[1],
            "status": "SERVER_ACK" if is_ours else "DELIVERY_ACK", "message": message,
            "messageType": kind, "messageTimestamp": int(turn.now().timestamp()),
            "instanceId": "6a1d2c3e-0000-4000-8000-00000000demo", "source": "android"}
    context = _context(line, turn)
    return "messages.upsert", data | ({"contextInfo": context} if context else {})


def _context(line: Line, turn: Turn) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if line.facts.get("answers"):
        context |= {"stanzaId": turn.id_of(line.facts["answers"]),
                    "participant": _address(line.who),
                    "quotedMessage": {"conversation": "…"}}
    if line.facts.get("forwarded"):
        context |= {"isForwarded": True, "forwardingScore": 1}
    if line.facts.get("mentions_us"):
        context["mentionedJid"] = [OWNER]
    return context


def _key_about(line: Line, turn: Turn) -> dict[str, Any]:
    """The key of the message a line is about; "last" is the last one we sent there."""
    about, chat = line.facts["about"], _chat(line)
    sent = turn.last_sent(chat) if about == "last" else None
    return {"remoteJid": chat, "fromMe": bool(sent) or about.startswith("own-"),
            "id": sent or turn.id_of(about)}


def _text(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "conversation", {"conversation": line.facts["text"]})


def _media(line: Line, turn: Turn, name: str, data: bytes, *, inline: bool = True,
           **facts: Any) -> Told:
    node = {"fileSha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
            "fileLength": str(len(data)), **facts}
    message: dict[str, Any] = {name: node}
    if inline:
        message["base64"] = base64.b64encode(data).decode()
    else:
        turn.kept.setdefault("files", {})[turn.id_of(line.facts["ref"])] = data
    return _upsert(line, turn, name, message)


def _image(line: Line, turn: Turn) -> Told:
    size = {"width": line.facts["width"], "height": line.facts["height"]}
    once = {"viewOnce": True} if line.facts.get("view_once") else {}
    return _media(line, turn, "imageMessage", files.picture(line.facts["colour"], **size),
                  mimetype="image/png", caption=line.facts["text"], **size, **once)


def _voice(line: Line, turn: Turn) -> Told:
    """Its bytes stay at the server until somebody asks; the words come with it."""
    seconds = line.facts["seconds"]
    event, data = _media(line, turn, "audioMessage", files.tone(seconds), inline=False,
                         mimetype="audio/wav", seconds=seconds, ptt=True)
    data["message"]["speechToText"] = line.facts["transcript"]
    return event, data


def _sticker(line: Line, turn: Turn) -> Told:
    return _media(line, turn, "stickerMessage", files.STICKER, mimetype="image/webp",
                  isAnimated=False)


def _document(line: Line, turn: Turn) -> Told:
    return _media(line, turn, "documentMessage", line.facts["content"].encode(),
                  mimetype="text/plain", fileName=line.facts["filename"],
                  caption=line.facts["text"])


def _location(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "locationMessage", {"locationMessage": {
        "degreesLatitude": line.facts["latitude"], "degreesLongitude": line.facts["longitude"],
        "name": line.facts["name"], "address": line.facts["address"]}})


def _contact(line: Line, turn: Turn) -> Told:
    name, phone = line.facts["name"], line.facts["phone"]
    card = (f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nitem1.TEL;waid={phone}:+{phone}\nEND:VCARD")
    return _upsert(line, turn, "contactMessage", {
        "contactMessage": {"displayName": name, "vcard": card}})


def _reaction(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "reactionMessage", {"reactionMessage": {
        "key": _key_about(line, turn), "text": line.facts["emoji"]}})


def _poll(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "pollCreationMessageV3", {"pollCreationMessageV3": {
        "name": line.facts["question"], "selectableOptionsCount": 1,
        "options": [{"optionName": option} for option in line.facts["options"]]}})


def _vote(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "pollUpdateMessage", {"pollUpdateMessage": {
        "pollCreationMessageKey": {"id": turn.id_of(line.facts["about"])},
        "vote": {"selectedOptions": line.facts["options"]}}})


def _pinned(line: Line, turn: Turn) -> Told:
    return _upsert(line, turn, "pinInChatMessage", {"pinInChatMessage": {
        "key": _key_about(line, turn), "type": 1}})


def _edited(line: Line, turn: Turn) -> Told:
    """The key as the editor sees it: the chat is our address, and the message their own."""
    return "messages.edited", {
        "key": {"remoteJid": OWNER, "fromMe": True, "id": turn.id_of(line.facts["ref"])},
        "type": 14, "editedMessage": {"conversation": line.facts["text"]},
        "timestampMs": int(turn.now().timestamp() * 1000)}


def _deleted(line: Line, turn: Turn) -> Told:
    return "messages.delete", {"remoteJid": _chat(line), "fromMe": False, "participant": "",
                               "id": turn.id_of(line.facts["about"])}


def _seen(line: Line, turn: Turn) -> Told:
    """We read a message of somebody."""
    return "messages.update", {
        "keyId": turn.id_of(line.facts["about"]), "fromMe": False, "status": "READ",
        "remoteJid": _address(line.facts["who_wrote"])}


def _presence(line: Line, turn: Turn) -> Told:
    who = _address(line.who)
    return "presence.update", {"id": who, "presences": {
        who: {"lastKnownPresence": line.facts["state"]}}}


def _call(line: Line, turn: Turn) -> Told:
    who = _address(line.who)
    return "call", {"chatId": who, "from": who, "id": turn.id_of(line.facts["ref"]),
                    "date": turn.now().isoformat(), "offline": False,
                    "status": line.facts["state"], "isVideo": bool(line.facts.get("video")),
                    "isGroup": False}


def _connection(line: Line, turn: Turn) -> Told:
    state = line.facts["state"]
    data = {"instance": "demo-whatsapp", "state": state, "statusReason": _REASONS.get(state, 200)}
    return "connection.update", data | (
        {"wuid": OWNER, "profileName": CAST["staff"][1]} if state == "open" else {})


def _members(action: str) -> Callable[[Line, Turn], Told]:
    def told(line: Line, turn: Turn) -> Told:
        return "group-participants.update", {
            "id": GROUP[0], "author": _address(line.who), "action": action,
            "participants": [_address(name) for name in line.facts["people"]]}

    return told


def _subject(line: Line, turn: Turn) -> Told:
    return "groups.update", [{"id": GROUP[0], "subject": line.facts["name"],
                              "author": _address(line.who)}]


def _contact_changed(line: Line, turn: Turn) -> Told:
    return "contacts.update", [{"remoteJid": _address(line.who), "pushName": line.facts["name"],
                                "profilePicUrl": None}]


def _label(line: Line, turn: Turn) -> Told:
    return "labels.edit", {"id": line.facts["number"], "name": line.facts["name"], "color": 2,
                           "deleted": False}


def _unknown(line: Line, turn: Turn) -> Told:
    return line.facts["event"], line.facts["data"]


TOLD: dict[str, Callable[[Line, Turn], Told]] = {
    "text": _text, "own": _text, "image": _image, "voice": _voice, "sticker": _sticker,
    "document": _document, "location": _location, "contact": _contact, "reaction": _reaction,
    "poll": _poll, "vote": _vote, "pinned": _pinned, "edited": _edited, "deleted": _deleted,
    "seen": _seen, "presence": _presence, "call": _call, "connection": _connection,
    "joined": _members("add"), "left": _members("remove"), "subject": _subject,
    "contact_changed": _contact_changed, "label": _label, "unknown": _unknown}
