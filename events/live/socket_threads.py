"""The threads in which sockets ask the database: few, and taken in turn by those who wait.

Each keeps a connection. Nobody has more than `SHARE` of them, so that the slow statements of one
key or visitor, however many sockets it opened, leave the others theirs.
"""

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections, connections

THREADS = 8
SHARE = 4
IDLE_SECONDS = 60.0  # after so long without work a thread ends, and its connection with it

Result = TypeVar("Result")
Given = ParamSpec("Given")
_Work = tuple["Future[Any]", Callable[[], Any]]


class SocketThreads:
    """At most `threads`, begun when they are needed. share: of them, for one owner."""

    def __init__(self, threads: int = THREADS, *, share: int = SHARE) -> None:
        self._most, self._share = threads, share
        self._lines: OrderedDict[str, deque[_Work]] = OrderedDict()  # whose turn is next, first
        self._busy: Counter[str] = Counter()  # owner -> threads at its work
        self._count = self._idle = self._waiting = 0
        self._changed = threading.Condition()

    async def call(self, owner: str, function: Callable[Given, Result],
                   *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What `function` returns, called in a thread when it is the owner's turn."""
        done: Future[Result] = Future()
        with self._changed:
            self._lines.setdefault(owner, deque()).append(
                (done, partial(function, *args, **kwargs)))
            self._waiting += 1
            if self._waiting > self._idle and self._count < self._most:
                self._count += 1
                threading.Thread(target=self._run, name="sockets", daemon=True).start()
            self._changed.notify()
        return await asyncio.wrap_future(done)

    def _run(self) -> None:
        """Do what waits until nothing came for long."""
        while (taken := self._next()) is not None:
            owner, (done, work) = taken
            if done.set_running_or_notify_cancel():
                _do(done, work)
            with self._changed:
                self._busy[owner] -= 1
                if not self._busy[owner]:
                    del self._busy[owner]
                self._changed.notify()  # the owner may have waited for its share
        connections.close_all()

    def _next(self) -> tuple[str, _Work] | None:
        with self._changed:
            self._idle += 1
            found = self._changed.wait_for(self._take, IDLE_SECONDS)
            self._idle -= 1
            if found is None:
                self._count -= 1
            return found

    def _take(self) -> tuple[str, _Work] | None:
        """The oldest work of the first owner whose share is free; its turn is last then."""
        owner = next((one for one in self._lines if self._busy[one] < self._share), None)
        if owner is None:
            return None
        line = self._lines.pop(owner)
        work = line.popleft()
        if line:
            self._lines[owner] = line
        self._busy[owner] += 1
        self._waiting -= 1
        return owner, work


def _do(done: "Future[Any]", work: Callable[[], Any]) -> None:
    close_old_connections()
    try:
        done.set_result(work())
    except BaseException as exc:  # as an executor does: whoever waits is told
        done.set_exception(exc)
    finally:
        close_old_connections()


threads = SocketThreads()
