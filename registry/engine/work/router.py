"""The one router: whichever worker holds the lock routes, so that events keep their order.

A session lock in PostgreSQL is free the moment its process dies, and another worker takes over
within TRY_SECONDS. The router wakes by LISTEN; a worker that does not route reads no events at all.
"""

import logging
import os
import select
import threading
from datetime import datetime

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from events.store import notify
from omni.config import revision
from registry.engine.route import inbox, routing
from registry.engine.work.chores import Chores
from registry.engine.work.pool import Pool
from registry.engine.work.session import Session

logger = logging.getLogger("omni.registry")
LOCK = 7_311_945  # advisory lock of the router
TRY_SECONDS = 1.0
_LEAD = """
SELECT pg_try_advisory_lock(%s), EXISTS (SELECT 1 FROM omni_runs
    WHERE state = 'queued' AND deaths < 2 AND available_at <= omni_now())
"""


class Router:
    """A thread of a worker that routes while it holds the lock, and does the chores.

    pool: what takes the runs that are opened. ready: called when runs are queued that somebody
    should claim.
    """

    def __init__(self, pool: Pool, *, ready) -> None:
        self._pool, self._ready = pool, ready
        self._stopped = threading.Event()
        self._chores: Chores | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def looked_at(self) -> datetime | None:
        """When this worker last looked at everything, None when another one does."""
        chores = self._chores
        return None if chores is None else chores.looked_at

    def poke(self) -> None:
        """There may be something to route."""
        try:
            os.write(self._wake_write, b".")
        except (BlockingIOError, OSError):
            pass  # it is awake, or gone

    def stop(self) -> None:
        """End the batch at hand, and free the lock."""
        self._stopped.set()
        self.poke()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    self._wait_for_the_lock()
                except (DatabaseError, InterfaceError, psycopg.Error):  # around a task
                    logger.warning("The router lost the database; it tries again.", exc_info=True)
                except Exception:  # around a task: whatever it was, events are to be routed
                    logger.exception("The router failed; it begins again.")
                connection.close()
                self._stopped.wait(TRY_SECONDS)
        finally:
            connection.close()

    def _wait_for_the_lock(self) -> None:
        """Try for the lock until the router is stopped; lead while it is held."""
        with Session() as session:
            while not self._stopped.is_set():
                leads, is_ready = session.execute(_LEAD, [LOCK])
                if is_ready:
                    self._ready()
                if leads:
                    session.listen(notify.EVENTS, notify.WORK, revision.CHANNEL)
                    self._lead(session)
                    return
                self._stopped.wait(TRY_SECONDS)

    def _lead(self, session: Session) -> None:
        chores = self._chores = Chores(routed=self.poke, ready=self._ready)
        chores.start()
        try:
            while not self._stopped.is_set():
                while (routing.route(hands=self._pool) >= inbox.BATCH
                       and not self._stopped.is_set()):
                    pass
                while not self._stopped.is_set() and not self._is_told(session, chores):
                    pass
        finally:
            self._chores = None
            chores.stop()

    def _is_told(self, session: Session, chores: Chores) -> bool:
        """Sleep until something happens; whether that may be an event, or the end."""
        ready, _, _ = select.select([session.fileno(), self._wake_read], [], [])
        is_poked = self._wake_read in ready
        if is_poked:
            os.read(self._wake_read, 4096)
        notes = session.notes()
        if notify.WORK in notes:
            chores.poke()
        if revision.CHANNEL in notes:
            revision.doubt()
        return is_poked or notify.EVENTS in notes
