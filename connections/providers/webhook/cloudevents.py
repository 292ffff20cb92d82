"""CloudEvents 1.0 over HTTP: structured, binary and batch become one plain envelope.

Source: cloudevents/spec, http-protocol-binding.md 3 and http-webhook.md 4 (abuse protection).
"""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from connections.adapter import Answer, Delivery
from connections.charsets import declared, text_of
from connections.payload import sanitize_text

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
REQUIRED = ("id", "source", "type")
MAX_ATTRIBUTES = 100
_ORIGIN = re.compile(r"[A-Za-z0-9.:*-]{1,255}")
_QUOTED = re.compile(r"\\(.)")


def is_binary(headers: Mapping[str, str]) -> bool:
    return "ce-specversion" in headers


def is_claimed(headers: Mapping[str, str]) -> bool:
    """Whether the headers promise CloudEvents in any of the three modes."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return is_binary(headers) or kind in (STRUCTURED, BATCH)


def is_event(value: Any) -> bool:
    """Whether `value` is a complete version 1.0 envelope."""
    return (isinstance(value, dict) and value.get("specversion") == "1.0"
            and all(isinstance(value.get(name), str) and value[name] for name in REQUIRED))


def from_headers(headers: Mapping[str, str], data: Any) -> dict[str, Any]:
    """The envelope of a binary-mode delivery. data: the parsed body, None when it is empty."""
    names = [name for name in headers if name.startswith("ce-")][:MAX_ATTRIBUTES]
    envelope: dict[str, Any] = {name[3:]: _decode(headers[name]) for name in names}
    if headers.get("content-type"):
        envelope["datacontenttype"] = headers["content-type"]
    if isinstance(data, bytes):
        envelope.update(_opaque(data, headers.get("content-type", "")))
    elif data is not None:
        envelope["data"] = data
    return envelope


def key(envelope: Mapping[str, Any]) -> str:
    """source and id name an event; blanks of the source are escaped so that the pair is one key."""
    return f"ce:{envelope['source'].replace(' ', '%20')} {envelope['id']}"


def handshake(delivery: Delivery, *, allowed_origins: list[str]) -> Answer | None:
    """The answer to a sender that asks for permission to deliver, None when nobody asks."""
    origin = delivery.headers.get("webhook-request-origin", "")
    if delivery.method != "OPTIONS" or not origin:
        return None
    if not _ORIGIN.fullmatch(origin):
        return Answer(400, {"detail": "WebHook-Request-Origin is not a host name"})
    if allowed_origins and origin not in allowed_origins and "*" not in allowed_origins:
        return Answer(403, {"detail": "this origin may not deliver here"})
    headers = {"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": origin}
    rate = delivery.headers.get("webhook-request-rate", "")
    if rate:
        is_number = rate.isascii() and rate.isdigit() and len(rate) < 10
        headers["WebHook-Allowed-Rate"] = rate if is_number else "*"
    return Answer(200, headers=headers)


def _decode(value: str) -> str:
    """An attribute from a header: unquoted, then percent-decoded exactly once."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _QUOTED.sub(r"\1", value[1:-1])
    return sanitize_text(unquote_to_bytes(value.encode("utf-8", "replace"))
                         .decode("utf-8", "replace"))


def _opaque(body: bytes, content_type: str) -> dict[str, Any]:
    if declared(content_type):
        return {"data": sanitize_text(text_of(body, content_type)[0])}
    try:
        return {"data": sanitize_text(body.decode("utf-8"))}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(body).decode()}
