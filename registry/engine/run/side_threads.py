"""Threads for the arms and turns of runs: so many per process, whatever the runs ask for.

Who forks works along, so that nobody waits for a thread that never comes, and threads keep their
database connections: there are never more of them than threads.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import connection

Task = tuple[int, Callable[[], Any]]


class SideThreads:
    """The helpers of one process; a fork gets its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._pool: ThreadPoolExecutor | None = None
        self._free = threading.Semaphore(0)

    def run(self, tasks: Sequence[Callable[[], Any]], *, width: int) -> list[Any]:
        """Results in the order of the tasks, of which `width` run at a time at most.

        Every task is done before the first error, in their order, is raised.
        """
        waiting: deque[Task] = deque(enumerate(tasks))
        results: dict[int, Any] = {}
        errors: dict[int, BaseException] = {}

        def work() -> None:
            while True:
                try:
                    number, task = waiting.popleft()
                except IndexError:
                    return
                try:
                    results[number] = task()
                except BaseException as exc:  # raised where it was asked for
                    errors[number] = exc
                    _mend_connection()

        helpers = self._start(work, most=min(width, len(tasks)) - 1)
        work()
        for helper in helpers:
            helper.result()
        if errors:
            raise errors[min(errors)]
        return [results[number] for number in range(len(tasks))]

    def _start(self, work: Callable[[], None], *, most: int) -> list[Future]:
        pool, free = self._of_this_process()
        return [pool.submit(_helped, work, free) for _ in range(most)
                if free.acquire(blocking=False)]

    def _of_this_process(self) -> tuple[ThreadPoolExecutor, threading.Semaphore]:
        with self._lock:
            if self._pool is None or self._pid != os.getpid():
                most = max(settings.OMNI_WORKER_THREADS, 1)
                self._pool = ThreadPoolExecutor(most, thread_name_prefix="side")
                self._free, self._pid = threading.Semaphore(most), os.getpid()
            return self._pool, self._free


def _helped(work: Callable[[], None], free: threading.Semaphore) -> None:
    try:
        work()
    finally:
        free.release()


def _mend_connection() -> None:
    """The next one who gets this thread begins with a connection that works, or with none."""
    if connection.connection is not None and not connection.in_atomic_block \
            and not connection.is_usable():
        connection.close()


threads = SideThreads()
