"""The threads of one worker process: each is at one run, and no account has more than its share."""

import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection

from registry.engine.run import database_errors, journal, rescue, runner
from registry.engine.run.execution import Execution
from registry.engine.work.queue import Claim
from registry.models import Run

logger = logging.getLogger("omni.registry")
GRACE_SECONDS = 5.0  # a step may overrun its time by this before its run is let go
IDLE_SECONDS = 10.0  # a thread without work keeps its connection for so long


@dataclass(slots=True)
class Work:
    """A claimed run in a thread. run: its rows, where the claimer had them in memory."""

    claim: Claim
    run: Run | None = None
    execution: Execution | None = None
    is_let_go: bool = False

    def is_hung(self) -> bool:
        return self.execution is not None and self.execution.is_overdue(grace=GRACE_SECONDS)


@dataclass(slots=True, eq=False)
class _Seat:
    """A thread without work, and what it is given."""

    given: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None


class Pool:
    """threads: most runs at the same time; share: most of one account. owner: what the leases of
    its runs say.

    freed: called when a thread is free again. The thread that was free last is taken first, so that
    few keep their connections, to the database and to others, where there is little to do.
    """

    def __init__(self, owner: str, *, threads: int, share: int,
                 freed: Callable[[], None] = lambda: None) -> None:
        self.owner = owner
        self.threads, self.share = threads, max(1, min(share, threads))
        self._freed = freed
        self._works: dict[tuple[int, int], Work] = {}  # by run and token
        self._left: list[Claim] = []
        self._reserved: Counter[int] = Counter()
        self._jobs: deque[Work] = deque()
        self._change = threading.Condition()
        self._started = 0
        self._idle: list[_Seat] = []
        self._is_closed = False

    def room(self) -> int:
        """Threads nobody has."""
        with self._change:
            return self._room()

    def busy(self) -> dict[int, int]:
        """Runs at work, by account."""
        with self._change:
            return self._busy()

    def reserve(self, instance_id: int) -> bool:
        """Keep a thread for a run that is about to be stored; False when there is none for it."""
        with self._change:
            if (self._is_closed or self._room() <= 0
                    or self._busy().get(instance_id, 0) >= self.share):
                return False
            self._reserved[instance_id] += 1
            return True

    def give_back(self, instance_id: int) -> None:
        """What was reserved is not needed."""
        with self._change:
            self._reserved[instance_id] -= 1

    def begin(self, claim: Claim, run: Run | None = None, *, reserved: bool = False) -> None:
        """Have a thread take this run as far as it goes."""
        work = Work(claim, run)
        with self._change:
            if reserved:
                self._reserved[claim.instance_id] -= 1
            self._works[claim.run_id, claim.token] = work
            if self._idle:
                seat = self._idle.pop()
                seat.work = work
                seat.given.set()
                return
            self._jobs.append(work)
            if self._started < self.threads:
                self._started += 1
                threading.Thread(target=self._live, name=f"run-{self._started}",
                                 daemon=True).start()

    def overdue(self) -> list[Claim]:
        """The claims whose step overran its time, each once; they are not waited for any more."""
        with self._change:
            hung = [work for work in self._works.values() if not work.is_let_go and work.is_hung()]
            for work in hung:
                work.is_let_go = True
        return [work.claim for work in hung]

    def left(self) -> list[Claim]:
        """The claims nobody is at any more because the database was away, each once."""
        with self._change:
            left, self._left = self._left, []
        return left

    def is_idle(self) -> bool:
        """Whether nothing is at work that may still end."""
        with self._change:
            return all(work.is_let_go for work in self._works.values())

    def finish(self, *, seconds: float | None = None) -> bool:
        """Begin nothing new and let what is at work end; False when time ran out before."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._change:
            self._is_closed = True
            for seat in self._idle:
                seat.given.set()
            self._idle.clear()
        while not self.is_idle():
            left = 0.5 if end is None else min(0.5, end - time.monotonic())
            if left <= 0:
                return False
            with self._change:
                self._change.wait(left)
        return True

    def _room(self) -> int:
        return self.threads - len(self._works) - self._reserved.total()

    def _busy(self) -> dict[int, int]:
        counted = Counter(work.claim.instance_id for work in self._works.values())
        return {instance: count for instance, count in (counted + self._reserved).items() if count}

    def _live(self) -> None:
        """A thread: one run after the other, on a connection of its own."""
        try:
            while (work := self._next()) is not None:
                is_done = self._work(work)
                with self._change:
                    if not is_done and not work.is_let_go:
                        self._left.append(work.claim)
                    self._works.pop((work.claim.run_id, work.claim.token), None)
                    self._change.notify_all()
                self._freed()
        finally:
            connection.close()

    def _next(self) -> Work | None:
        """The next work of a thread; None when there was none for a while, and it is to end."""
        with self._change:
            if self._jobs:
                return self._jobs.popleft()
            if self._is_closed:
                self._started -= 1
                return None
            seat = _Seat()
            self._idle.append(seat)
        seat.given.wait(IDLE_SECONDS)
        with self._change:
            if seat.work is None:
                self._started -= 1
                if seat in self._idle:
                    self._idle.remove(seat)
            return seat.work

    def _work(self, work: Work) -> bool:
        """Whether the run was left in order; otherwise it is to be given back (`left`)."""
        try:
            runner.advance(work.claim, run=work.run, watch=lambda execution: setattr(
                work, "execution", execution))
        except (Exception, SystemExit) as exc:  # around a task
            return broke_off(work.claim, exc)
        return True


def broke_off(claim: Claim, exc: BaseException) -> bool:
    """A walk ended with an error that is no step's: say so, and what becomes of its run. Whether it
    was given back; otherwise it is to be left (`Pool.left`).
    """
    if database_errors.is_transient(exc):
        connection.close()  # the next run gets another
        logger.warning("A walk broke off: the database was away.", extra={
            "run": claim.run_id, "error": type(exc).__name__})
    elif not isinstance(exc, rescue.Unstorable):
        logger.error("A walk broke off.", exc_info=exc, extra={"run": claim.run_id})
    return journal.errored(claim, exc)


def owner_name(host: str) -> str:
    """Names a worker process in `omni_workers`; never the same for two."""
    return f"{host[:32]}:{os.getpid()}:{os.urandom(4).hex()}"
