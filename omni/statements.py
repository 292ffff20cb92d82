"""Hot statements: parameters bound on the server, and prepared from the first use.

Django binds parameters on the client, so that the server parses and plans every statement anew;
for what an event costs that is half of it. These run on the thread's own Django connection and in
its transaction; errors are those of `django.db`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8Dumper

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0  # how long the plans of a connection are kept


@dataclass(slots=True)
class _Plans:
    """Those of one connection. until: monotonic seconds, when they are to be made anew."""

    until: float
    kept_for: float = FIRST_SECONDS


_plans: WeakKeyDictionary[psycopg.Connection, _Plans] = WeakKeyDictionary()


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
    _plan_anew(raw)
    with connection.wrap_database_errors, _Cursor(raw) as cursor:
        cursor.execute(sql, parameters, prepare=True)
        return cursor.fetchall() if cursor.description is not None else []


def _plan_anew(raw: psycopg.Connection) -> None:
    """Now and then, at first soon: a plan that was made when a table had ten rows may read each of
    them, and the server keeps it until the table is analyzed, when there may be a million.
    """
    now = time.monotonic()
    plans = _plans.get(raw)
    if plans is None:
        _plans[raw] = _Plans(now + FIRST_SECONDS)
    elif now >= plans.until:
        plans.kept_for = min(2 * plans.kept_for, LONGEST_SECONDS)
        plans.until = now + plans.kept_for
        with connection.wrap_database_errors:
            raw.execute("DISCARD PLANS")
