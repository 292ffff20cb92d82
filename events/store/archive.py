"""The exact bytes of every authentic delivery, kept before they are understood.

What must not be kept (credentials a provider repeats in its bodies) is blanked here, and only
here; `redacted` says so and `sha256` is still of the bytes that arrived.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TextIO
from urllib.parse import parse_qsl, urlencode

from connections.adapter import Adapter, Delivery
from events.models import RawPayload

KEPT_HEADERS = frozenset("content-type user-agent date x-request-id webhook-id webhook-timestamp "
                         "svix-id x-github-event x-github-delivery x-gitlab-event x-event-type "
                         "x-event-key x-slack-retry-num x-slack-retry-reason".split())
KEPT_PREFIXES = ("ce-", "x-goog-")
_SECRET_NAME = re.compile(r"token|secret|key|sign|auth|password", re.IGNORECASE)
BLANK = "[redacted]"


@dataclass(slots=True)
class RawRow:
    """One row of the archive on its way in; columns of `RawPayload`."""

    received_at: datetime
    instance_id: int
    provider: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    content_type: str
    body: bytes
    size_bytes: int
    sha256: str
    redacted: bool
    transport: str
    verified_by: str
    flags: list[str] = field(default_factory=list)
    quarantine_reason: str = ""
    quarantine_detail: str = ""
    id: int = 0
    event_count: int = 0

    def quarantine(self, reason: str, detail: str) -> None:
        """Mark the delivery as a dead letter: kept, not understood, listed with its reason."""
        self.quarantine_reason, self.quarantine_detail = reason[:64], detail[:2000]


def keep(delivery: Delivery, *, instance_id: int, adapter: Adapter, proof: str) -> RawRow:
    """What the archive keeps of a delivery; stored by `events.store.ingest` in the same transaction
    as its events.
    """
    body, redacted = blank(delivery.body, adapter.redact)
    return RawRow(
        received_at=delivery.received_at, instance_id=instance_id, provider=adapter.name,
        method=delivery.method[:8], path=_text(delivery.path), query=_safe_query(delivery.query),
        headers={name: _text(value) for name, value in delivery.headers.items()
                 if name in KEPT_HEADERS or name.startswith(KEPT_PREFIXES)},
        content_type=_text(delivery.content_type), body=body, size_bytes=len(delivery.body),
        sha256=hashlib.sha256(delivery.body).hexdigest(), redacted=redacted,
        transport=delivery.transport, verified_by=proof)


def blank(body: bytes, names: frozenset[str]) -> tuple[bytes, bool]:
    """`body` with the string values of JSON keys `names` blanked, and whether any was.

    A dotted name (`qrcode.code`) blanks the key only below that parent.
    """
    redacted = False
    for pattern, marker in _patterns(names):
        if marker in body:
            body, count = pattern.subn(_blank_value, body)
            redacted = redacted or bool(count)
    return body, redacted


@cache
def _patterns(names: frozenset[str]) -> list[tuple[re.Pattern[bytes], bytes]]:
    value = rb'"(?:[^"\\]|\\.)++"'
    found = []
    for name in sorted(names):
        parent, _, key = name.rpartition(".")
        key_text = re.escape(json.dumps(key).encode())
        head = rb"(" + key_text + rb"\s*:\s*)"
        if parent:
            parent_text = re.escape(json.dumps(parent.rpartition(".")[2]).encode())
            # Below its parent: everything of that object before the key, without nested objects.
            head = rb"(" + parent_text + rb"\s*:\s*\{[^{}]*?" + key_text + rb"\s*:\s*)"
        found.append((re.compile(head + value), json.dumps(key).encode()))
    return found


def _blank_value(match: re.Match[bytes]) -> bytes:
    return match.group(1) + json.dumps(BLANK).encode()


def _safe_query(query: str) -> str:
    if not query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, BLANK if _SECRET_NAME.search(name) else _text(value))
                      for name, value in pairs])


def _text(value: str) -> str:
    return value.replace("\x00", "�").encode("utf-8", "replace").decode()


def read(raw_id: int, *, received_at: datetime | None = None) -> RawPayload:
    """One archived delivery. received_at, when known, spares a look into every month.

    Raises RawPayload.DoesNotExist, also after its month was dropped.
    """
    rows = RawPayload.objects.filter(pk=raw_id)
    if received_at is not None:
        rows = rows.filter(received_at=received_at)
    return rows.get()


def as_delivery(raw: RawPayload | RawRow) -> Delivery:
    """The archived delivery as its adapter saw it, less the headers that were not kept."""
    return Delivery(body=bytes(raw.body), headers=raw.headers, method=raw.method, path=raw.path,
                    query=raw.query, received_at=raw.received_at, transport=raw.transport)


_EXPORTED = ("id", "received_at", "provider", "method", "path", "query", "headers", "content_type",
             "size_bytes", "sha256", "redacted", "flags", "transport", "verified_by", "deliveries",
             "quarantine_reason")


def export(rows: Iterable[RawPayload], stream: TextIO) -> int:
    """Write archived deliveries as JSON lines; returns how many. Bodies are base64."""
    count = 0
    for raw in rows:
        count += 1
        line: dict[str, Any] = {name: getattr(raw, name) for name in _EXPORTED}
        line["instance"] = raw.instance.slug
        line["body_base64"] = base64.b64encode(bytes(raw.body)).decode()
        stream.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
    return count


def load(stream: TextIO) -> Iterator[tuple[str, str, Delivery]]:
    """Read exported lines: (provider, instance slug, delivery) each, to be received again.

    Raises ValueError that names the line which is not an exported delivery.
    """
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            yield data["provider"], data["instance"], Delivery(
                body=base64.b64decode(data["body_base64"], validate=True),
                headers=data["headers"], method=data["method"], path=data["path"],
                query=data["query"], transport="import",
                received_at=datetime.fromisoformat(data["received_at"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"line {number} is no exported delivery: {exc}") from exc
