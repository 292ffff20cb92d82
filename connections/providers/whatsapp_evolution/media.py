"""Files of messages: where their bytes are, and what opens them."""

from typing import Any

from connections.envelope import Attachment
from connections.providers.whatsapp_evolution.body import Body
from connections.providers.whatsapp_evolution.scalars import (
    as_base64,
    as_bool,
    as_count,
    as_hex,
    as_int,
    as_number,
    as_text,
    without_blanks,
)

MEDIA = {"imageMessage": "image", "videoMessage": "video", "ptvMessage": "video",
         "audioMessage": "audio", "documentMessage": "document", "stickerMessage": "sticker"}
_MAX_SECONDS = 2_000_000  # so that milliseconds stay below 2**31


def read_media(body: Body) -> dict[str, Any]:
    """Draft fields of a message that is a file. The caption is the message's text."""
    kind = MEDIA[body.type]
    attachment = read_attachment(body)
    content: dict[str, Any] = {"transcript": body.files.transcript,
                               "pages": as_count(body.fields.get("pageCount"))}
    if body.type == "ptvMessage":
        content["is_video_note"] = True
    return {"event_type": f"message.{kind}", "media_kind": kind, "text": attachment.caption,
            "attachments": [attachment], "content": without_blanks(content)}


def read_attachment(body: Body) -> Attachment:
    node = body.fields
    seconds = as_number(node.get("seconds"))
    return Attachment(
        kind=MEDIA[body.type],
        mime=as_text(node.get("mimetype")) or None,
        filename=as_text(node.get("fileName")) or as_text(node.get("title")) or None,
        size_bytes=as_int(node.get("fileLength")),
        width=as_count(node.get("width")),
        height=as_count(node.get("height")),
        duration_ms=int(seconds * 1000) if seconds and 0 < seconds < _MAX_SECONDS else None,
        sha256=_sha256(node.get("fileSha256")),
        source_url=body.files.url or as_text(node.get("url")) or None,
        encryption=None if body.files.url else _encryption(node),
        caption=as_text(node.get("caption")) or None,
        is_voice_note=as_bool(node.get("ptt")),
        is_animated=as_bool(node.get("isAnimated")) or as_bool(node.get("gifPlayback")),
        inline_path=body.files.inline_path,
    )


def _sha256(value: Any) -> str | None:
    text = as_hex(value)
    return text if text and len(text) == 64 else None


def _encryption(node: dict[str, Any]) -> dict[str, Any] | None:
    """What opens the file at `url`, in WhatsApp's own names; bytes as base64."""
    return without_blanks({
        "mediaKey": as_base64(node.get("mediaKey")),
        "fileEncSha256": as_base64(node.get("fileEncSha256")),
        "directPath": as_text(node.get("directPath")),
        "mediaKeyTimestamp": as_int(node.get("mediaKeyTimestamp")),
    }) or None
