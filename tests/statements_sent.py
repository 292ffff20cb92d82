"""What really goes to the server on this thread's connection, by the log of libpq itself."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection
from psycopg.pq import Trace

from omni import statements


class Sent:
    """What went out in a `counted` block. statements: BEGIN and COMMIT too. trips: waits for an
    answer of the server.
    """

    statements = 0
    trips = 0


@contextmanager
def counted() -> Iterator[Sent]:
    """Without plans that are made anew, which is a matter of the clock."""
    connection.ensure_connection()
    raw, sent = connection.connection.pgconn, Sent()
    with tempfile.TemporaryFile() as log, patch.object(statements, "_plan_anew"):
        raw.trace(log.fileno())
        raw.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS | Trace.REGRESS_MODE)
        try:
            yield sent
        finally:
            raw.untrace()
        log.seek(0)
        kinds = [line.split(b"\t")[2].strip() for line in log if line.startswith(b"F\t")]
    sent.statements = kinds.count(b"Query") + kinds.count(b"Execute")
    sent.trips = kinds.count(b"Query") + kinds.count(b"Sync")
