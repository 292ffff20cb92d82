"""The process for trials: it takes jobs, does several at once in threads, and says that it lives.

One of an installation, started by `starting`. Its first thread writes; the others read only, and
may take as long as their kind of job may.
"""

import json
import logging
import os
import queue as queues
import select
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from django.db import DatabaseError, InterfaceError, connection

from omni.errors import Unavailable
from registry.trials import job_work, jobs
from registry.trials.starting import LOCK_CLASS
from registry.trials.watching import Canceled, Watch

logger = logging.getLogger("omni.registry")
IDLE_SECONDS = 300.0
BEAT_SECONDS = 1.0
SETTLE_SECONDS = 5.0
SECONDS = {"trial": 90.0, "tests": 150.0, "matches": 90.0, "backtest": 600.0}  # most a job may take
GRACE_SECONDS = 120.0  # a step at hand may overrun that by this; then the process ends itself
STATEMENT_SECONDS = 60  # most one statement of a trial may take
_SAID = "it was ended after {seconds:g} seconds{at}; ask for less"


@dataclass(slots=True)
class JobWatch(Watch):
    """A job as the first thread sees it. wanted: False ends it at its next step or event."""

    kind: str
    started: float = field(default_factory=time.monotonic)
    seen: tuple[int, int] = (0, 0)
    wanted: bool = True

    def expect(self, total: int) -> None:
        self.seen = (0, total)

    def done(self, count: int) -> None:
        self.seen = (count, self.seen[1])
        self.look()

    def look(self) -> None:
        if not self.wanted:
            raise Canceled("canceled")
        if time.monotonic() - self.started > SECONDS[self.kind]:
            at = f", at {self.seen[0]:,} of {self.seen[1]:,} events" if self.seen[1] else ""
            raise Canceled(_SAID.format(seconds=SECONDS[self.kind], at=at))

    def is_hung(self) -> bool:
        return time.monotonic() - self.started > SECONDS[self.kind] + GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class _Came:
    """What a job came to."""

    job: jobs.Taken
    state: str
    reason: str = ""
    result: str | None = None
    error: str | None = None


def _failed(job: jobs.Taken, exc: Exception) -> _Came:
    error = job_work.error_of(exc) or {}
    return _Came(job, "failed", error.get("message", "the workflow has problems"),
                 error=json.dumps(error))


class TrialsProcess:
    """kinds: who does each kind of job. cluster: the process with which this one ends; 0: none."""

    def __init__(self, *, kinds: Mapping[str, job_work.Work], cluster: int = 0,
                 idle_seconds: float = IDLE_SECONDS) -> None:
        self._kinds = kinds
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._cluster, self._idle_seconds = cluster, idle_seconds
        self._watches: dict[jobs.Taken, JobWatch] = {}
        self._came: queues.SimpleQueue[_Came] = queues.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._is_told = False

    def run(self) -> None:
        """Work until nobody asked for long, or it is told to stop. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        listener = self._listen()
        if listener is None:
            return  # there is one already
        try:
            self._loop(listener)
            if self._watches:
                jobs.give_back(self.owner)
        except (DatabaseError, InterfaceError):
            logger.warning("Database is away; the process for trials ends.")
        finally:
            listener.close()

    def _told(self, *_: object) -> None:
        self._is_told = True
        self._wake()

    def _listen(self) -> psycopg.Connection | None:
        parameters = connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        listener = psycopg.connect(**parameters, autocommit=True)
        row = listener.execute("SELECT pg_try_advisory_lock(%s, 0)", [LOCK_CLASS]).fetchone()
        if row is None or not row[0]:
            listener.close()
            return None
        listener.execute(f"LISTEN {jobs.CHANNEL}")
        return listener

    def _loop(self, listener: psycopg.Connection) -> None:
        beaten = settled = 0.0
        busy = time.monotonic()
        while not self._is_told and self._has_cluster():
            now = time.monotonic()
            if now - settled >= SETTLE_SECONDS:
                settled = now
                jobs.settle_dead()
                jobs.sweep()
            if now - beaten >= BEAT_SECONDS:
                beaten = now
                self._beat()
            if self._note_ends() + self._take_some() or self._watches:
                busy = now
            elif now - busy > self._idle_seconds:
                return
            self._wait(listener)

    def _has_cluster(self) -> bool:
        try:
            if self._cluster:
                os.kill(self._cluster, 0)
        except ProcessLookupError:
            return False
        return True

    def _beat(self) -> None:
        """Say how far each job is, and hear which are no longer wanted."""
        wanted = jobs.beat(self.owner, {job: watch.seen for job, watch in self._watches.items()})
        for job, watch in self._watches.items():
            watch.wanted = job in wanted
        hung = [job for job, watch in self._watches.items() if watch.is_hung()]
        for job in hung:
            jobs.end(self.owner, job, state="failed",
                     reason="a step did not end, and its process was ended")
        if hung:
            logger.error("Trials overran their time; their process ends.",
                         extra={"jobs": [job.id for job in hung]})
            jobs.give_back(self.owner)
            os._exit(1)  # threads that hang cannot be ended otherwise

    def _take_some(self) -> int:
        """Begin what there is room for; how many."""
        begun = 0
        working = Counter(jobs.line_of(watch.kind) for watch in self._watches.values())
        for line, most in jobs.AT_WORK.items():
            while working[line] < most and (job := jobs.take(line, self.owner)):
                working[line] += 1
                begun += 1
                watch = self._watches[job] = JobWatch(job.kind)
                threading.Thread(target=self._work, args=(job, watch), daemon=True,
                                 name=f"{job.kind}-{job.id}").start()
        return begun

    def _work(self, job: jobs.Taken, watch: JobWatch) -> None:
        """A thread: one job, on a session of its own."""
        try:
            came = self._did(job, watch)
        finally:
            connection.close()
        self._came.put(came)
        self._wake()

    def _did(self, job: jobs.Taken, watch: JobWatch) -> _Came:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
            return _Came(job, "done", result=job_work.doing(
                self._kinds, job.kind, job.workflow, job.request, watch))
        except Canceled as exc:
            return _failed(job, Unavailable(exc.reason))
        except Exception as exc:  # around a task: whoever asked is told
            if job_work.error_of(exc) is None:
                logger.exception("Trial failed.", extra={"job": job.id})
                return _Came(job, "failed", f"a fault of ours ({type(exc).__name__}); the log of "
                                            "the process `trials` has the facts")
            return _failed(job, exc)

    def _note_ends(self) -> int:
        """Store what came; how many."""
        count = 0
        while True:
            try:
                came = self._came.get_nowait()
            except queues.Empty:
                return count
            count += 1
            watch = self._watches.pop(came.job)
            jobs.end(self.owner, came.job, state=came.state, reason=came.reason,
                     result=came.result, error=came.error, seen=watch.seen)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except (BlockingIOError, OSError):
            pass  # it is awake, or gone

    def _wait(self, listener: psycopg.Connection) -> None:
        ready, _, _ = select.select([listener.fileno(), self._wake_read], [], [], BEAT_SECONDS)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        for _ in listener.notifies(timeout=0):
            pass
