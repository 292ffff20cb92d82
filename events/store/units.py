"""Deliveries on their way into the store, and what became of them.

Those that were kept verified, in the spool or in an export, are understood here by today's mapping.
"""

import os
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connections.envelope import EventDraft
from connections.models import Instance
from events.store.archive import RawRow, as_delivery
from events.store.normalize import understand
from omni.errors import InvalidParams

_AT_A_TIME, _ID_BYTES = 256, 16
_drawn: deque[bytes] = deque()
os.register_at_fork(after_in_child=_drawn.clear)  # or two processes would draw the same


def _trace_id() -> uuid.UUID:
    """As `uuid.uuid4`, from any thread. Many are drawn at a time: each call to the system lets the
    other threads run, which costs a busy process more than the UUID.
    """
    while True:
        try:
            return uuid.UUID(bytes=_drawn.popleft(), version=4)
        except IndexError:
            drawn = os.urandom(_AT_A_TIME * _ID_BYTES)
            _drawn.extend(drawn[at:at + _ID_BYTES] for at in range(0, len(drawn), _ID_BYTES))


@dataclass(slots=True)
class Unit:
    """One delivery on its way into the store; raw is None for events we made ourselves.

    routed: False leaves the events to the router; True marks them as not to be routed.
    """

    instance_id: int
    provider: str
    drafts: list[EventDraft]
    received_at: datetime
    raw: RawRow | None = None
    routed: bool = False
    caused_by_id: int | None = None
    trace_id: uuid.UUID = field(default_factory=_trace_id)
    hop: int = 0


@dataclass(slots=True)
class Stored:
    """What became of one unit. event_ids: new events; known_ids: events that were there already."""

    raw_id: int | None = None
    event_ids: list[int] = field(default_factory=list)
    known_ids: list[int] = field(default_factory=list)
    duplicate: bool = False


@dataclass(slots=True)
class Row:
    """One draft with its place in the batch. event_id: None when it brought no new event."""

    unit: int
    draft: EventDraft
    key: str
    fingerprint: str
    data: dict[str, Any] = field(default_factory=dict)
    drawn_id: int = 0
    event_id: int | None = None


def units_of(rows: Sequence[RawRow]) -> list[Unit]:
    """The units of verified deliveries, understood now.

    An instance that is gone or whose settings no longer fit leaves a dead letter with that reason.
    """
    instances = Instance.objects.in_bulk({raw.instance_id for raw in rows})
    return [_unit_of(raw, instances.get(raw.instance_id)) for raw in rows]


def _unit_of(raw: RawRow, instance: Instance | None) -> Unit:
    unit = Unit(instance_id=raw.instance_id, provider=raw.provider, drafts=[], raw=raw,
                received_at=raw.received_at)
    if instance is None:
        raw.quarantine("instance_gone", f"there is no instance {raw.instance_id} any more")
        return unit
    unit.routed = not instance.is_on
    try:
        account = instance.account()
    except InvalidParams as exc:
        raw.quarantine("instance_settings", exc.message)
        return unit
    understood = understand(as_delivery(raw), adapter=instance.adapter, account=account)
    unit.drafts = understood.drafts
    raw.flags = understood.flags
    if understood.reason:
        raw.quarantine(understood.reason, understood.detail)
    return unit
