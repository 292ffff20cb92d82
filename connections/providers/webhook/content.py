"""A payload as the content of an event: named by its shape and bounded in size."""

import json
from typing import Any

from connections.charsets import text_of
from connections.payload import sanitize_text

MAX_BYTES = 64 * 1024  # of content, as JSON; the whole body stays in the archive
MAX_TEXT = 2_000  # characters of one text, once something has to be cut
MAX_EXCERPT = 8_000  # characters
_NAMES: dict[type, str] = {dict: "payload", list: "items"}


def describe(payload: Any, *, size_bytes: int, content_type: str,
             is_form: bool) -> dict[str, Any]:
    """{payload | items | value | fields | text_excerpt}; `cut: true` when it is not everything."""
    if isinstance(payload, bytes):
        return _excerpt(payload, content_type=content_type)
    name = _NAMES.get(type(payload), "value")
    return bounded({"fields" if is_form else name: payload}, size_bytes=size_bytes)


def bounded(content: dict[str, Any], *, size_bytes: int) -> dict[str, Any]:
    """`content` when it is small, else a copy with cut texts, else the start of its JSON.

    size_bytes: of the body it came from; spares the measuring of small ones.
    """
    if size_bytes <= MAX_BYTES:
        return content
    if len(json.dumps(content, ensure_ascii=False).encode()) <= MAX_BYTES:
        return content
    shorter = {**_cut(content), "cut": True}
    text = json.dumps(shorter, ensure_ascii=False)
    if len(text.encode()) <= MAX_BYTES:
        return shorter
    return {"text_excerpt": text[:MAX_EXCERPT], "cut": True}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, dict):
        return {key[:MAX_TEXT]: _cut(item) for key, item in value.items()}
    return value


def _excerpt(body: bytes, *, content_type: str) -> dict[str, Any]:
    text = sanitize_text(text_of(body, content_type)[0])
    described: dict[str, Any] = {"text_excerpt": text[:MAX_EXCERPT], "size_bytes": len(body),
                                 "content_type": sanitize_text(content_type)[:200]}
    if len(text) > MAX_EXCERPT:
        described["cut"] = True
    return described
