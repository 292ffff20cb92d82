"""A connection that is held for its session: its locks, and what it listens to."""

import select

import psycopg
import pytest
from django.db import connection

from registry.engine.work.session import Session
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = 7_000_001


def take(session):
    return session.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])[0]


def test_lock_is_held_until_the_session_ends():
    with Session() as other:
        with Session() as session:
            during = take(session), take(other)

        assert during == (True, False) and until(lambda: take(other))


def test_channels_that_were_notified_are_named_once():
    with Session() as session:
        session.listen("omni_test_a", "omni_test_b")
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY omni_test_a; NOTIFY omni_test_c")

        assert select.select([session.fileno()], [], [], 20)[0]
        assert (session.notes(), session.notes()) == ({"omni_test_a"}, set())


def test_session_that_was_killed_says_so():
    with Session() as session:
        [pid] = session.execute("SELECT pg_backend_pid()")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [pid])

        with pytest.raises(psycopg.OperationalError):
            for _ in range(3):  # what the server said last is read before its end
                assert select.select([session.fileno()], [], [], 20)[0]
                session.notes()
