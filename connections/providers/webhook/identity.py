"""What names an event of a sender nobody knows: its id, or nothing but this very delivery."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from connections.adapter import Delivery
from connections.providers.webhook import cloudevents

ID_HEADERS = ("webhook-id", "svix-id", "x-github-delivery")


def key(envelope: Mapping[str, Any] | None, event_id: str, delivery: Delivery, *, index: int,
        dedup_minutes: int) -> str:
    """The dedup key: the mapped id, CloudEvents source and id, a delivery id, or the body.

    Without an id every delivery is an event of its own: a digest alone would swallow what a sender
    repeats on purpose. With dedup_minutes, equal bodies within one window of the clock are one.
    """
    if event_id:
        return f"id:{event_id}"
    if envelope is not None:
        return cloudevents.key(envelope)
    suffix = f"#{index}" if index else ""
    for name in ID_HEADERS:
        if delivery.headers.get(name):
            return f"w:{delivery.headers[name]}{suffix}"
    digest = sha256(delivery.query.encode("utf-8", "replace") + b"\n" + delivery.body).hexdigest()
    return f"b:{digest}{suffix}:{_moment(delivery.received_at, dedup_minutes)}"


def _moment(received_at: datetime | None, dedup_minutes: int) -> str:
    if received_at is None:
        return "-"
    if dedup_minutes:
        return str(int(received_at.timestamp() // (60 * dedup_minutes)))
    return received_at.isoformat()
