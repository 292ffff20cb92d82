"""What a worker does all day: take runs that are due, and work on several at once; one of the
workers routes, too.

One drain holds one slot of its cluster (a session lock in PostgreSQL: it is free the moment the
process dies). It claims when it is told that there is something, or when a thread becomes free and
there was more than it could take; the net below is the router's look once a second.
"""

import logging
import multiprocessing
import os
import random
import select
import socket
import time
import zlib

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from events.store import notify
from registry.engine.run import database_errors
from registry.engine.work import leases, queue
from registry.engine.work.pool import Pool, owner_name
from registry.engine.work.router import Router
from registry.engine.work.session import Session

logger = logging.getLogger("omni.registry")
# Set to 1 by `omni_worker` when the cluster stops; no lock, which a killed process could keep.
STOP = multiprocessing.Value("b", 0, lock=False)
LOCK_CLASS = 7_311_943
TURN_SECONDS = 3600.0  # then the process is recycled: others take over while its last runs end
STOP_SECONDS = 18.0
WAIT_SECONDS = 0.5  # for a sign that the cluster stops


def cluster_slots() -> range:
    """The lock numbers of this cluster: workers of one parent share them."""
    name = f"{socket.gethostname()}:{os.getppid()}".encode()
    first = (zlib.crc32(name) & 0x07FF_FFFF) << 4
    return range(first, first + min(settings.OMNI_WORKERS, 16))


class Drain:
    """One turn of a worker process. share: of its threads, for the runs of one account."""

    def __init__(self, *, threads: int, share: float = 1.0) -> None:
        self.owner = owner_name(socket.gethostname())
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.pool = Pool(self.owner, threads=threads, share=int(threads * share), freed=self._freed)
        self._has_more = True  # at the last claim there was more than could be taken

    def run(self) -> None:
        """Work until the turn is over or the cluster stops. A turn ends by taking nothing new;
        what is at work goes on to its end. Any database error ends the turn; the broker hands out
        a new one when the database answers again.
        """
        router = Router(self.pool, ready=self._ready)
        heartbeat = leases.Heartbeat(self.owner, overdue=self.pool.overdue, left=self.pool.left,
                                     looked=router.looked_at)
        try:
            with Session() as session:
                if not self._takes_slot(session):
                    return
                session.listen(notify.WORK)
                heartbeat.start()
                router.start()
                try:
                    self._loop(session)
                finally:
                    router.stop()
        finally:  # the slot is free: another worker may begin while this one finishes
            self._finish(heartbeat)

    def _finish(self, heartbeat: leases.Heartbeat) -> None:
        """Let what is at work end: without bounds, but for a stop. What is not done goes back."""
        stop_at = None
        while not self.pool.finish(seconds=WAIT_SECONDS):
            if STOP.value:
                stop_at = stop_at or time.monotonic() + STOP_SECONDS
                if time.monotonic() > stop_at:
                    break
        heartbeat.stop()
        try:
            leases.release(self.owner)
        except (DatabaseError, InterfaceError):
            connection.close()  # their lease brings them back

    def _takes_slot(self, session: Session) -> bool:
        return any(session.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, slot])[0]
                   for slot in cluster_slots())

    def _loop(self, session: Session) -> None:
        end = time.monotonic() + TURN_SECONDS * random.uniform(0.9, 1.1)
        while time.monotonic() < end and not STOP.value:
            if self._has_more:
                self._try_to_claim()
            self._wait(session)

    def _try_to_claim(self) -> None:
        """Claim; two that met in a circle (a workflow that is just being paused) try again."""
        try:
            self._claim()
        except DatabaseError as exc:
            if not database_errors.is_of_the_moment(exc):
                raise
            logger.warning("A claim met another; it is tried again.", exc_info=True)
            self._has_more = True

    def _claim(self) -> None:
        """Take due runs for the free threads."""
        free = self.pool.room()
        if free <= 0:
            return
        self._has_more = False  # before the claim: what is said meanwhile is not forgotten
        claims = queue.claim(self.owner, limit=free, share=self.pool.share, busy=self.pool.busy())
        for claim in claims:
            self.pool.begin(claim)
        # Also where an account has its whole share: there may be more of it in the queue.
        if claims or max(self.pool.busy().values(), default=0) >= self.pool.share:
            self._has_more = True

    def _ready(self) -> None:
        """Runs are queued."""
        self._has_more = True
        self._freed()

    def _freed(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except (BlockingIOError, OSError):
            pass  # it is awake, or gone

    def _wait(self, session: Session) -> None:
        """Sleep until runs are queued or a thread became free."""
        ready, _, _ = select.select([session.fileno(), self._wake_read], [], [], WAIT_SECONDS)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if session.notes():
            self._has_more = True


def drain() -> None:
    """The task a worker is handed by the broker."""
    try:
        Drain(threads=settings.OMNI_WORKER_THREADS, share=settings.OMNI_INSTANCE_SHARE).run()
    finally:
        connection.close()
