"""What the leading worker does once a second: one look, and only what that finds to be done.

Lost runs, runs whose time has come, waits and derived rows that were left behind by a death, sends
nobody will say the outcome of, schedules. In a thread of its own: none of it holds up the routing.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from events.outbox import interrupted
from events.store import derive
from omni import statements
from omni.config import revision
from registry.engine.starts import clockwork
from registry.engine.waits import endings, waits
from registry.engine.work import leases, lines, queue

logger = logging.getLogger("omni.registry")
LOOK_SECONDS = 1.0
SOONEST_SECONDS = 0.02  # between two looks, however often they are asked for
FORGOTTEN_SECONDS = 5.0
MEND_SECONDS = 60.0
_LOOK = f"""
SELECT {revision.NUMBER}, omni_now(),
    EXISTS (SELECT 1 FROM omni_inbox) AS unrouted,
    EXISTS (SELECT 1 FROM omni_runs WHERE state = 'queued' AND deaths < 2
            AND available_at <= omni_now()) AS ready,
    EXISTS (SELECT 1 FROM omni_runs WHERE state = 'running'
            AND lease_until < omni_now() AND NOT EXISTS (
                SELECT 1 FROM omni_workers w
                WHERE w.owner = lease_owner AND w.until >= omni_now())) AS lost,
    (SELECT extract(epoch FROM min(available_at) - omni_now())::float8 FROM omni_runs
     WHERE state = 'waiting') AS next_due,
    EXISTS (SELECT 1 FROM omni_waits WHERE NOT looked
            AND created_at < omni_now() - %s::float8 * interval '1 second') AS unlooked,
    EXISTS (SELECT 1 FROM omni_outbox WHERE state = 'sending'
            AND started_at < omni_now() - %s::float8 * interval '1 second') AS sending,
    EXISTS (SELECT 1 FROM omni_underived WHERE next_try <= clock_timestamp()) AS underived
"""


class Found(NamedTuple):
    """What there is to do. next_due: seconds until the next run that waits is due, or None."""

    now: datetime
    unrouted: bool
    ready: bool
    lost: bool
    next_due: float | None
    unlooked: bool
    sending: bool
    underived: bool


def look() -> Found:
    """One cheap look at everything there may be to do."""
    asked_at = time.monotonic()
    [(number, *found)] = statements.execute(
        _LOOK, [FORGOTTEN_SECONDS, interrupted.AFTER_SECONDS])
    revision.seen(number, asked_at=asked_at)
    return Found(*found)


class Chores:
    """A thread that looks, from `start` to `stop`.

    routed: called when events wait for the router; ready: when runs are queued.
    """

    def __init__(self, *, routed: Callable[[], None], ready: Callable[[], None]) -> None:
        self._routed, self._ready = routed, ready
        self._stopped = False
        self._wake = threading.Event()
        self._mended = 0.0
        self.looked_at: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        """A time may have been set that comes before the next look."""
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped:
                pause = LOOK_SECONDS
                try:
                    pause = self._once()
                except (DatabaseError, InterfaceError):  # around a task: the next look tries again
                    connection.close()
                    logger.warning("The chores lost the database.", exc_info=True)
                except Exception:  # around a task
                    logger.exception("A chore failed; it is tried again.")
                self._wake.wait(max(pause, SOONEST_SECONDS))
                self._wake.clear()
        finally:
            connection.close()

    def _once(self) -> float:
        """Do what there is to do; seconds until the next look."""
        found = look()
        if found.unrouted:
            self._routed()
        woken = queue.wake_due() if found.next_due is not None and found.next_due <= 0 else 0
        if found.ready or woken:
            self._ready()
        if found.lost or found.sending:
            _try(endings.sweep)
            self._ready()
        if found.underived:
            _try(derive.redo)
        if found.unlooked:
            _try(lambda: endings.look(waits.unlooked(seconds=FORGOTTEN_SECONDS)))
        _try(lambda: clockwork.tick(found.now))
        _try(lambda: self._mend(found.now.timestamp()))
        self.looked_at = found.now
        if woken == queue.WAKE_BATCH:
            return 0.0
        return LOOK_SECONDS if found.next_due is None or woken else min(
            max(found.next_due, 0.0), LOOK_SECONDS)

    def _mend(self, now: float) -> None:
        """What should never be needed, once a minute."""
        if now - self._mended < MEND_SECONDS:
            return
        self._mended = now
        leases.forget()
        if lines.mend():
            logger.warning("Runs stood in line for no reason; they go on.")
            self._ready()


def _try(chore: Callable[[], object]) -> None:
    """Do one of the chores; whatever it meets, the others are done. Raises when the database is
    away.
    """
    try:
        chore()
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # around a task
        logger.exception("A chore failed; it is tried again.")
