"""What a database error says: that the database was away for a moment, or that the data is wrong.

By SQLSTATE, because the exception classes mix both (PostgreSQL, appendix A: error codes).
"""

import psycopg
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError

_PASSING = (
    "08",  # connection exceptions
    "25006",  # a read-only server: a failover is under way
    "40",  # deadlock, serialization failure
    "53",  # too many connections, out of disk or memory
    "55P03",  # lock timeout
    "57",  # statement timeout, shutdown, crash, still starting up
    "58",  # the server's own files and system calls
)
_OF_DATA = ("22", "23", "54")  # values, constraints, and more of something than fits


def is_transient(exc: BaseException) -> bool:
    """Whether the same may go well later: nobody's data or code is at fault."""
    if not isinstance(exc, Error | psycopg.Error):
        return False
    state = _state(exc)
    if state:
        return state.startswith(_PASSING)
    return isinstance(exc, OperationalError | InterfaceError | psycopg.OperationalError
                      | psycopg.InterfaceError)  # the connection is gone


def is_of_the_moment(exc: BaseException) -> bool:
    """Whether two met in a circle, or one waited too long for the other: the connection is good."""
    return _state(exc).startswith(("40", "55P03"))


def is_of_data(exc: BaseException) -> bool:
    """Whether what was to be stored cannot be; RecursionError, TypeError and ValueError are of the
    making of its JSON.
    """
    if isinstance(exc, RecursionError | TypeError | ValueError):
        return True
    if not isinstance(exc, Error | psycopg.Error):
        return False
    state = _state(exc)
    return state.startswith(_OF_DATA) if state else isinstance(exc, DataError | IntegrityError)


def _state(exc: BaseException) -> str:
    """SQLSTATE, "" where the server said nothing."""
    for one in (exc, exc.__cause__):
        if state := getattr(one, "sqlstate", None):
            return state
    return ""
