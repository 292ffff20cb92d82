"""A connection that is held for its session: its locks, and what it listens to."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection


class Session:
    """A psycopg connection of its own, in autocommit; closed by `close` or at the end of `with`.

    Errors are those of psycopg.
    """

    def __init__(self) -> None:
        parameters = connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold"):
            parameters.pop(name, None)
        self._connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=0)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The first row of a query."""
        row = self._connection.execute(sql, parameters).fetchone()
        assert row is not None
        return row

    def listen(self, *channels: str) -> None:
        for channel in channels:
            self._connection.execute(f"LISTEN {channel}", prepare=False)

    def fileno(self) -> int:
        return self._connection.fileno()

    def notes(self) -> set[str]:
        """The channels that were notified since the last time."""
        return {note.channel for note in self._connection.notifies(timeout=0)}
