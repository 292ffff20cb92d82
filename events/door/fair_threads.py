"""Threads in which every account has its own place in line, so that nobody waits for the whole of
another's flood: whoever waits is taken in turn, one piece of work of each.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from omni.errors import Unavailable

Result = TypeVar("Result")


class FairThreads:
    """A `ThreadPoolExecutor` of as many `threads` whose queue is one line per account.

    most: pieces of work that may wait in one line; None for as many as come.
    """

    def __init__(self, threads: int, name: str, *, most: int | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._most = most
        self._lock = threading.Lock()
        self._lines: OrderedDict[Hashable, deque[tuple[Future[Any], Callable[[], Any]]]] = (
            OrderedDict())  # whose turn is next comes first; nobody has an empty line

    @property
    def waiting(self) -> int:
        """Pieces of work that no thread has begun yet."""
        with self._lock:
            return sum(map(len, self._lines.values()))

    def submit(self, whose: Hashable, function: Callable[..., Result],
               *args: Any) -> "Future[Result]":
        """Have `function` called when it is its account's turn; one that was cancelled is not.

        Raises Unavailable when the account's line is full.
        """
        done: Future[Result] = Future()
        with self._lock:
            line = self._lines.setdefault(whose, deque())
            if self._most is not None and len(line) >= self._most:
                raise Unavailable(f"{self._most} bodies of this account wait to be opened")
            line.append((done, partial(function, *args)))
        self._threads.submit(self._do_next)
        return done

    def _do_next(self) -> None:
        done, work = self._next()
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(work())
        except BaseException as exc:  # as an executor does: whoever waits is told
            done.set_exception(exc)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]]:
        """The oldest of who is next, who comes last then. There is one for every call."""
        with self._lock:
            whose, line = self._lines.popitem(last=False)
            work = line.popleft()
            if line:
                self._lines[whose] = line
            return work
