"""While a trial lasts PostgreSQL refuses every write of its thread.

Outside a transaction the session is told so, and none is open while the trial asks something
outside. Inside one, which only tests and commands have, it ends with a savepoint.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection, transaction


@contextmanager
def only() -> Iterator[None]:
    """From here to the end of the block, nothing is written."""
    if connection.in_atomic_block:
        with transaction.atomic():
            _say("SET LOCAL transaction_read_only = on")
            yield
            transaction.set_rollback(True)
        return
    _say("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        try:
            _say("SET default_transaction_read_only = off")
        except (DatabaseError, InterfaceError):
            connection.close()  # a new session may write


@contextmanager
def part() -> Iterator[None]:
    """A part that may fail without spoiling the rest."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    else:
        yield


def _say(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
