"""Hot statements: parameters bound on the server, and prepared from the first use.

Django binds parameters on the client, so that the server parses and plans every statement anew;
for what an event costs that is half of it. These run on the thread's own Django connection and in
its transaction; errors are those of `django.db`.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8Dumper


class _Cursor(psycopg.Cursor):
    """Every int is a bigint, so that one statement is one plan whatever the numbers are."""

    def __init__(self, raw: psycopg.Connection) -> None:
        super().__init__(raw)
        self.adapters.register_dumper(int, Int8Dumper)


def execute(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, none for a statement that returns nothing.

    parameters: in the order of the `%s` of `sql`, each cast there (`%s::bigint[]`). JSON comes
    back as text, as from any cursor of Django's. Raises errors of `django.db`.
    """
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = 0
    with connection.wrap_database_errors, _Cursor(raw) as cursor:
        cursor.execute(sql, parameters, prepare=True)
        return cursor.fetchall() if cursor.description is not None else []
