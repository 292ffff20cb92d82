"""Two real connections to the database: one holds what it looked at, the other must wait for it."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

SECONDS = 20
_WAITER = """
SELECT locktype FROM pg_locks WHERE NOT granted AND pid = %s
    AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


class Elsewhere:
    """Work in a thread, on a connection of its own, begun at once.

    The test's own transaction is the other side: it is open where the first of two workers would
    stand between its look and its write.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._given: list[Any] = []
        self._raised: list[BaseException] = []
        self._backend: list[int] = []
        self._thread = threading.Thread(target=self._run, args=[work], daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self._backend.append(cursor.fetchone()[0])
            self._given.append(work())
        except BaseException as exc:
            self._raised.append(exc)
        finally:
            connection.close()

    def waits_for(self) -> str:
        """What kind of lock of ours it waits for; "" when it ended without waiting."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self._backend:
                with connection.cursor() as cursor:
                    cursor.execute(_WAITER, [self._backend[0]])
                    if row := cursor.fetchone():
                        return row[0]
            self._thread.join(0.01)
            if not self._thread.is_alive():
                return ""
        raise AssertionError("it neither ended nor waited")

    def gives(self) -> Any:
        """What the work came to, when it has ended; raises what it raised."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "it has not ended"
        if self._raised:
            raise self._raised[0]
        return self._given[0]
