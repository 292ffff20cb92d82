"""What a worker does all day: route new events, take due runs, work on several at once.

One drain holds one slot of its cluster (a session lock in PostgreSQL: it is free the moment the
process dies). It waits on LISTEN and looks by itself once a second; nothing on the hot path polls.
"""

import logging
import multiprocessing
import os
import queue as queues
import select
import socket
import threading
import time
import zlib
from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from events.store import derive, notify
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.run.execution import Execution
from registry.engine.starts import clockwork
from registry.engine.waits import endings, waits
from registry.engine.work import queue

logger = logging.getLogger("omni.registry")
# Set to 1 by `omni_worker` when the cluster stops; no lock, which a killed process could keep.
STOP = multiprocessing.Value("b", 0, lock=False)
LOCK_CLASS = 7_311_943
TURN_SECONDS = 180.0  # with END_SECONDS below the task timeout, so that workers are recycled
END_SECONDS = 95.0  # for what is at hand at the end of a turn: an agent may take 90 s
LOOK_SECONDS = 1.0
FORGOTTEN_SECONDS = 5.0
RENEW_SECONDS = 2.0
GRACE_SECONDS = 5.0  # a step may overrun its time by this before its lease is let go
STOP_SECONDS = 18.0


@dataclass(slots=True)
class Work:
    """A claimed run in a thread."""

    claim: queue.Claim
    execution: Execution | None = None

    def is_hung(self) -> bool:
        return self.execution is not None and self.execution.is_overdue(grace=GRACE_SECONDS)


def cluster_slots() -> range:
    """The lock numbers of this cluster: workers of one parent share them."""
    name = f"{socket.gethostname()}:{os.getppid()}".encode()
    first = (zlib.crc32(name) & 0x07FF_FFFF) << 4
    return range(first, first + min(settings.OMNI_WORKERS, 16))


class Drain:
    """One turn of a worker process."""

    def __init__(self, *, threads: int) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._threads = threads
        self._jobs: queues.SimpleQueue[Work | None] = queues.SimpleQueue()
        self._works: dict[int, Work] = {}
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._started = 0

    def run(self) -> None:
        """Work until the turn is over or the cluster stops. Any database error ends the turn; the
        broker hands out a new one when the database answers again.
        """
        listener = self._listen()
        try:
            if not self._take_slot(listener):
                return
            self._loop(listener)
        finally:
            listener.close()  # frees the slot: another worker may begin while this one finishes
            self._finish()

    def _listen(self) -> psycopg.Connection:
        parameters = connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        listener = psycopg.connect(**parameters, autocommit=True)
        listener.execute(f"LISTEN {notify.EVENTS}")
        listener.execute(f"LISTEN {notify.WORK}")
        return listener

    def _take_slot(self, listener: psycopg.Connection) -> bool:
        for slot in cluster_slots():
            row = listener.execute("SELECT pg_try_advisory_lock(%s, %s)",
                                   [LOCK_CLASS, slot]).fetchone()
            if row[0]:
                return True
        return False

    def _loop(self, listener: psycopg.Connection) -> None:
        end = time.monotonic() + TURN_SECONDS
        renewed = looked = 0.0
        while time.monotonic() < end and not STOP.value:
            now = time.monotonic()
            if now - renewed >= RENEW_SECONDS:
                renewed = now
                self._renew()
            if now - looked >= LOOK_SECONDS:
                looked = now
                endings.sweep()
                derive.redo()
                self._look_again()
                clockwork.tick(queue.now())
            if not self._work_off(todo := queue.todo()):
                self._wait(listener, _pause(todo))

    def _work_off(self, todo: queue.Todo) -> int:
        """Do what there is to do; how much that was."""
        busy = routing.route() if todo.events else 0
        busy += queue.wake_due() if todo.waking else 0
        if busy or todo.due or todo.suspects:
            busy += self._claim(alone=todo.suspects)
        return busy

    def _look_again(self) -> None:
        """Waits whose worker died before it searched the store for events that came first."""
        endings.look(waits.unlooked(seconds=FORGOTTEN_SECONDS))

    def _claim(self, *, alone: bool) -> int:
        """Take due runs for the free threads.

        alone: a run waits that killed workers before; it is taken by itself, when what is at hand
        has ended, so that nothing else dies with it.
        """
        free = self._threads - len(self._works)
        if alone and self._works:
            return 0
        if any(work.claim.deaths >= queue.ALONE_AFTER for work in list(self._works.values())):
            return 0
        if free <= 0:
            return 0
        claims = queue.claim(self.owner, limit=1, alone=True) if alone else []
        claims = claims or queue.claim(self.owner, limit=free)
        for claim in claims:
            self._begin(Work(claim))
        if len(claims) == free:
            notify.notifier.send(notify.WORK)  # there may be more than this worker can take
        return len(claims)

    def _begin(self, work: Work) -> None:
        with self._lock:
            self._works[work.claim.run_id] = work
            if len(self._works) > self._started:
                self._started += 1
                threading.Thread(target=self._work, name=f"run-{self._started}",
                                 daemon=True).start()
        self._jobs.put(work)

    def _work(self) -> None:
        """A thread: one run after the other, on a connection of its own."""
        try:
            while (work := self._jobs.get()) is not None:
                try:
                    runner.advance(work.claim, watch=lambda execution, work=work: setattr(
                        work, "execution", execution))
                except (DatabaseError, InterfaceError):
                    connection.close()
                    logger.warning("Run left to its lease: the database went away.",
                                   extra={"run": work.claim.run_id})
                except Exception:  # around a task: the lease brings the run back
                    logger.exception("Run left to its lease.", extra={"run": work.claim.run_id})
                finally:
                    with self._lock:
                        self._works.pop(work.claim.run_id, None)
                    self._wake()
        finally:
            connection.close()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except (BlockingIOError, OSError):
            pass  # it is awake, or gone

    def _wait(self, listener: psycopg.Connection, seconds: float) -> None:
        """Sleep until something was notified, a thread became free, or time is up."""
        ready, _, _ = select.select([listener.fileno(), self._wake_read], [], [], seconds)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        for _ in listener.notifies(timeout=0):
            pass

    def _renew(self) -> None:
        """Extend leases from progress only: a hung step loses its run to another worker."""
        with self._lock:
            works = list(self._works.values())
        hung = [work.claim.run_id for work in works if work.is_hung()]
        if hung:
            logger.error("Steps overran their time; their runs are let go.", extra={"runs": hung})
        queue.renew([work.claim for work in works if not work.is_hung()])

    def _finish(self) -> None:
        """Let threads finish what they do, within bounds; what is not done goes back."""
        start = time.monotonic()
        while self._works and time.monotonic() - start < (
                STOP_SECONDS if STOP.value else END_SECONDS):
            try:
                self._renew()
                select.select([self._wake_read], [], [], 0.5)
                os.read(self._wake_read, 4096)
            except BlockingIOError:
                continue
            except (DatabaseError, InterfaceError):
                connection.close()
                break
        for _ in range(self._started):
            self._jobs.put(None)
        if self._works:
            try:
                queue.release(self.owner)
            except (DatabaseError, InterfaceError):
                connection.close()  # their leases bring them back


def _pause(todo: queue.Todo) -> float:
    """Seconds to sleep: until the next run that waits is due, but not past the next look."""
    return LOOK_SECONDS if todo.next_due is None else min(max(todo.next_due, 0.0), LOOK_SECONDS)


def drain() -> None:
    """The task a worker is handed by the broker."""
    Drain(threads=settings.OMNI_WORKER_THREADS).run()
