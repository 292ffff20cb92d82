"""What a chat page sends becomes drafts. Pure and replayable: the visitor stands in the frame.

Frame: {type: message|file|typing|read|vote, id, visitor, name, text, files: [{name, mime,
base64}], reply_to, target, state, options}. Ids are the page's, unique in its conversation.
"""

import hashlib
import json
from typing import Any

from connections.envelope import UNMAPPED, Attachment, EventDraft, Handle
from connections.providers.webchat.visitors import is_visitor

NORMALIZER = "webchat@1"
ID_MAX = 120  # characters of the page's id that are kept as they are
FILES_MAX = 10
_FILE_KINDS = ("image", "audio", "video")
_PRESENCE = {"typing": "presence.typing", "recording": "presence.recording",
             "paused": "presence.available"}


def drafts(frame: Any) -> list[EventDraft]:
    """One frame gives one event; what is no frame of ours becomes `event.unmapped`."""
    frame = frame if isinstance(frame, dict) else {"value": frame}
    kind = _text(frame.get("type"))
    make = _MAPPED.get(kind, _unmapped)
    draft = make(frame) or _unmapped(frame)
    visitor = visitor_in(frame)
    draft.provider_event_type = kind[:128]
    draft.normalizer = NORMALIZER
    draft.conversation_ref = draft.provider_actor_ref = draft.contact_ref = visitor
    draft.conversation_kind = "direct" if visitor else ""
    draft.sender_name = draft.contact_name = _text(frame.get("name"))[:120]
    draft.actor_handles = [Handle("id", visitor)] if visitor else []
    draft.contact_handles = list(draft.actor_handles)  # the visitor is both: one handle for both
    return [draft]


def visitor_in(frame: Any) -> str:
    """The visitor a frame names; "" when it names none."""
    name = frame.get("visitor") if isinstance(frame, dict) else None
    return name if isinstance(name, str) and is_visitor(name) else ""


def signal_in(frame: Any) -> str:
    """The state a frame only shows to others while it lasts (typing), "" for what is stored."""
    if not isinstance(frame, dict) or frame.get("type") != "typing":
        return ""
    state = _text(frame.get("state")) or "typing"
    return state if state in _PRESENCE else ""


def message_id(visitor: str, local_id: str) -> str:
    """The instance-unique id of a message, from the page's own id; a full one stays itself."""
    if local_id.startswith(f"{visitor}:"):
        return local_id
    if len(local_id) > ID_MAX:
        local_id = hashlib.sha256(local_id.encode("utf-8", "replace")).hexdigest()
    return f"{visitor}:{local_id}"


def _message(frame: dict[str, Any]) -> EventDraft | None:
    text = _text(frame.get("text"))
    files = _files(frame.get("files"))
    if not text.strip() and not files:
        return None
    visitor, kind = visitor_in(frame), files[0].kind if files else "text"
    name = message_id(visitor, _id(frame))
    quoted = _text(frame.get("reply_to"))
    return EventDraft(
        event_type=f"message.{kind}", dedup_key=f"m:{name}", provider_message_id=name,
        text=text or None, media_kind=files[0].kind if files else None, attachments=files,
        relation="replies_to" if quoted else "",
        target_message_id=message_id(visitor, quoted) if quoted else None)


def _files(value: Any) -> list[Attachment]:
    found: list[Attachment] = []
    for place, file in enumerate(value if isinstance(value, list) else []):
        if isinstance(file, dict) and _text(file.get("base64")) and len(found) < FILES_MAX:
            mime = _text(file.get("mime")).lower()[:100] or "application/octet-stream"
            family = mime.partition("/")[0]
            data = file["base64"]
            found.append(Attachment(
                kind=family if family in _FILE_KINDS else "document", mime=mime,
                filename=_text(file.get("name"))[:255] or None,
                size_bytes=len(data) * 3 // 4 - data[-2:].count("="),
                is_voice_note=file.get("voice") is True, inline_path=f"files.{place}.base64"))
    return found


def _presence(frame: dict[str, Any]) -> EventDraft | None:
    state = _text(frame.get("state")) or "typing"
    if state not in _PRESENCE:
        return None
    return EventDraft(event_type=_PRESENCE[state], content={"state": state},
                      dedup_key=f"p:{message_id(visitor_in(frame), _id(frame))}")


def _read(frame: dict[str, Any]) -> EventDraft | None:
    target = _text(frame.get("target"))
    if not target:
        return None
    target = message_id(visitor_in(frame), target)
    return EventDraft(
        event_type="message.status.read", dedup_key=f"s:{target}:read", relation="status_of",
        target_message_id=target, delivery_status="read")


def _vote(frame: dict[str, Any]) -> EventDraft | None:
    options = [_text(item) for item in _list(frame.get("options")) if _text(item)]
    target = _text(frame.get("target"))
    if not options or not target:
        return None
    visitor = visitor_in(frame)
    return EventDraft(
        event_type="poll.vote", dedup_key=f"v:{message_id(visitor, _id(frame))}",
        relation="votes_on", target_message_id=message_id(visitor, target),
        text=", ".join(options), content={"option_ids": options, "action": "set"})


def _unmapped(frame: dict[str, Any]) -> EventDraft:
    content = {name: value for name, value in frame.items() if name != "files"}
    return EventDraft(event_type=UNMAPPED, content=content,
                      dedup_key=f"u:{message_id(visitor_in(frame), _id(frame))}")


_MAPPED = {"message": _message, "file": _message, "typing": _presence, "read": _read,
           "vote": _vote}


def _id(frame: dict[str, Any]) -> str:
    """The page's id of a frame, or a digest of all that the frame says."""
    given = frame.get("id")
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given):
        return str(given)
    said = json.dumps(frame, sort_keys=True, ensure_ascii=False, default=str)
    return f"h-{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
