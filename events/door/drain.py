"""Stores what the spool holds, in slices, once the database works again.

A slice holds Python's lock and rows of the database, for which live deliveries wait: it is as many
as are stored in about `SLICE_SECONDS`, and none begins while a live delivery waits.
"""

import logging
import time
from collections.abc import Callable

from events.door import batches, spool
from events.store import ingest, notify
from events.store.units import Unit, units_of
from omni import failpoints

logger = logging.getLogger("omni.events")
SLICE, SLICE_LEAST = 50, 10
SLICE_BYTES = 4 * 1024 * 1024
SLICE_SECONDS = 0.02
_YIELD_SECONDS = 0.1  # at most, before each slice: live deliveries without end hold up no spool
_drained = 0  # since the last look at an empty spool


class Pace:
    """How many deliveries one slice takes, from how long the last one took."""

    def __init__(self) -> None:
        self.most = SLICE_LEAST

    def learn(self, count: int, seconds: float) -> None:
        """`count` deliveries took so long. Grows to twice as many at most, shrinks at once."""
        fitting = count * SLICE_SECONDS / max(seconds, 0.001)
        self.most = round(max(SLICE_LEAST, min(fitting, 2 * self.most, SLICE)))


_pace = Pace()


def next_slice(is_quiet: Callable[[], bool] = lambda: True) -> bool:
    """Store some of what waits, oldest first; returns whether more may wait.

    Looks into the spool every few seconds only. Raises while the database cannot take it.
    is_quiet: whether no live delivery waits; it goes first.
    """
    global _drained
    if not (_drained or spool.due()):
        return False
    _let_pass(is_quiet)
    count = _drain()
    if count == 0 and _drained:
        logger.info("Spool drained.", extra={"deliveries": _drained})
    _drained = _drained + count if count else 0
    return bool(count)


def _let_pass(is_quiet: Callable[[], bool]) -> None:
    end = time.monotonic() + _YIELD_SECONDS
    while not is_quiet() and time.monotonic() < end:
        time.sleep(0.002)


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
    before = time.monotonic()
    entries = spool.take(most=_pace.most, most_bytes=SLICE_BYTES)
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
    _pace.learn(len(entries), time.monotonic() - before)
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
