"""Stores what the spool holds, in slices, once the database works again."""

import logging
from collections.abc import Sequence

from connections.models import Instance
from events import batches, ingest, notify, spool
from events.archive import RawRow, as_delivery
from events.ingest import Unit
from events.normalize import understand
from omni import failpoints
from omni.errors import InvalidParams

logger = logging.getLogger("omni.events")
SLICE = 50
SLICE_BYTES = 4 * 1024 * 1024
_drained = 0  # since the last look at an empty spool


def next_slice() -> bool:
    """Store some of what waits, oldest first; returns whether more may wait.

    Looks into the spool every few seconds only. Raises while the database cannot take it.
    """
    global _drained
    if not (_drained or spool.due()):
        return False
    count = _drain()
    if count == 0 and _drained:
        logger.info("Spool drained.", extra={"deliveries": _drained})
    _drained = _drained + count if count else 0
    return bool(count)


def drain_spool() -> int:
    """Store all that the spool holds; returns how many. Raises while it cannot."""
    total = 0
    while count := _drain():
        total += count
    return total


def _drain() -> int:
    """One slice in one transaction. What the store refuses becomes a dead letter, so that one
    delivery never blocks the rest.
    """
    global _drained
    entries = spool.take(most=SLICE, most_bytes=SLICE_BYTES)
    if not entries:
        return 0
    try:
        _persist(units_of([entry.raw for entry in entries]))
    except BaseException:
        spool.put_back(entries)
        _drained = 0
        raise
    failpoints.hit("drain.committed")
    for entry in entries:
        spool.remove(entry)
    notify.notifier.send(notify.EVENTS)
    return len(entries)


def _persist(units: list[Unit]) -> None:
    try:
        ingest.persist(units)
    except Exception as exc:  # around a task: one delivery must not keep the rest waiting
        if batches.is_away(exc):
            raise
        batches.forget()
        if len(units) > 1:
            for unit in units:
                _persist([unit])
            return
        logger.error("Spooled delivery could not be stored as events.", exc_info=exc)
        batches.persist_as_dead_letter(units[0], exc)


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
