"""Files of an event as agents of the first Omni were given them."""

import json
from typing import Any

from events.models import Attachment, Event, RawPayload
from events.store import archive

_MOST = 12 * 1024 * 1024  # characters of base64 passed on; more goes by address
_TYPES = ("image", "video", "document")


def message_type_of(event: Event) -> str:
    """text, image, video, document or media; audio goes as text with a placeholder."""
    kind = event.media_kind or ""
    if kind in _TYPES:
        return kind
    return "text" if kind in ("", "audio") else "media"


def payload_of(event: Event) -> dict[str, Any]:
    """The whole body the event came in, {} when it is gone or is no JSON object."""
    if event.raw_id is None:
        return {}
    try:
        body = archive.as_delivery(archive.read(event.raw_id)).body
        payload = json.loads(body)
    except (RawPayload.DoesNotExist, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}


def items_of(event: Event, *, alt_text: str, payload: dict[str, Any]) -> list[dict[str, Any]]:
    """{alt_text, mime_type, data or media_url, ...} per file whose bytes can be had."""
    found = []
    for file in event.attachments.order_by("position"):
        data = _inline(file, payload)
        if not data and not file.source_url:
            continue
        source = {"data": data} if data else {"media_url": file.source_url}
        found.append({"alt_text": alt_text or file.kind, "mime_type": file.mime or f"{file.kind}/",
                      **source, **_facts(file)})
    return found


def _facts(file: Attachment) -> dict[str, Any]:
    if file.kind in ("image", "video", "sticker"):
        return {"width": file.width or 0, "height": file.height or 0}
    if file.kind == "audio":
        return {"duration": (file.duration_ms or 0) // 1000, "size_bytes": file.size_bytes or 0}
    return {"name": file.filename or "document", "size_bytes": file.size_bytes or 0}


def _inline(file: Attachment, payload: dict[str, Any]) -> str:
    """Base64 inside the payload, "" when it is not there."""
    value: Any = payload if file.inline_path else None
    for name in (file.inline_path or "").split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and len(value) <= _MOST else ""
