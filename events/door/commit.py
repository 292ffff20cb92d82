"""Group commit: one transaction for all that arrived during the one before.

No timer: an idle door commits a lone delivery at once, a busy one batches by itself.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from events.door import drain, spool
from events.door.batches import Job, store
from events.door.body_budget import SMALL_BYTES
from events.door.knocks import knocks
from omni.errors import Unavailable

logger = logging.getLogger("omni.events")
BATCH = 100
BATCH_BYTES = 8 * 1024 * 1024
PAUSE_SECONDS = 1.0  # of an idle writer, before it looks at what else is to be done
_AWAY = (OperationalError, InterfaceError)


class Line:
    """A queue, its writer thread and that thread's connection.

    between: done after every batch, and every `PAUSE_SECONDS` without one; returns whether it wants
    to go on at once.
    """

    def __init__(self, name: str, between: Callable[[], bool]) -> None:
        self._name = name
        self._between = between
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # None: wake up
        self._unanswered = 0
        self._goes_on = False
        self._ended = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, job: Job) -> None:
        self._count(1)
        self._jobs.put(job)

    def _count(self, jobs: int) -> None:
        with self._lock:
            self._unanswered += jobs

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    @property
    def is_idle(self) -> bool:
        return not self._unanswered

    def start(self) -> None:
        """Make sure that the thread runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._ended = False
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._ended:
            batch = self._next_batch()
            try:
                if batch:
                    store(batch)
                self._goes_on = self._between()
            except _AWAY:
                self._goes_on = False
                connection.close()
            except Exception as exc:  # a request's last line of defence: nobody waits for ever
                self._goes_on = False
                logger.exception("Writer failed.")
                for job in batch:
                    if not job.done.done():
                        job.done.set_exception(Unavailable(str(exc)))
            finally:
                self._count(-len(batch))
                del batch  # an idle writer holds no bodies
        connection.close()

    def end(self) -> None:
        """Let the thread stop, at once when it is idle; what is queued then is not stored."""
        self._ended = True
        self._jobs.put(None)

    def _next_batch(self) -> list[Job]:
        batch: list[Job] = []
        size, seconds = 0, 0.0 if self._goes_on else PAUSE_SECONDS
        while len(batch) < BATCH and size < BATCH_BYTES:
            try:
                job = self._jobs.get(timeout=0 if batch else seconds)
            except queue.Empty:
                break
            if job is None:
                break
            batch.append(job)
            size += job.size
        return batch


class GroupCommit:
    """Two writers with a connection each, so that a large body holds up only other large ones.

    `submit` from any thread. The second one also stores what the spool holds, between its batches
    and those of the first.
    """

    def __init__(self) -> None:
        self._small = Line("commit", self._between)
        self._large = Line("commit-large", lambda: drain.next_slice(lambda: self._small.is_idle))
        self._bytes = 0  # of all that waits
        self._lock = threading.Lock()

    def submit(self, job: Job) -> Future:
        """Queue a job; its future ends with Stored, None (spooled) or Unavailable.

        Raises Unavailable at once when too many, or too many bytes, wait already.
        """
        if not settings.OMNI_GROUP_COMMIT:
            store([job])
            knocks.flush()
            return job.done
        self._make_room(job)
        size = job.size  # not the job: its own callback would keep it alive, with its body
        job.done.add_done_callback(lambda _: self._count(-size))
        (self._large if job.size > SMALL_BYTES else self._small).put(job)
        self._start()
        return job.done

    def _make_room(self, job: Job) -> None:
        if self._small.waiting + self._large.waiting >= settings.OMNI_COMMIT_QUEUE:
            raise Unavailable("too many deliveries are waiting to be stored")
        with self._lock:
            if self._bytes and self._bytes + job.size > settings.OMNI_DOOR_BYTES_IN_FLIGHT:
                raise Unavailable("too many bytes are waiting to be stored")
            self._bytes += job.size

    def _count(self, size: int) -> None:
        with self._lock:
            self._bytes += size

    def wake(self) -> None:
        """Make sure that the writers run, so that counted knocks and the spool are written."""
        if settings.OMNI_GROUP_COMMIT:
            spool.prepare()
            self._start()
        else:
            knocks.flush(force=True)

    def _start(self) -> None:
        self._small.start()
        self._large.start()

    def _between(self) -> bool:
        knocks.flush()
        return False

    def drain(self, timeout: float) -> bool:
        """Wait until all that was queued is answered, for a clean stop; False when time ran out."""
        end = time.monotonic() + timeout
        while not (self._small.is_idle and self._large.is_idle):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def end(self) -> None:
        """Stop the threads. `drain` comes before."""
        self._small.end()
        self._large.end()


writer = GroupCommit()
