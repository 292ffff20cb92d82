"""What every test starts with: nothing remembered of the rows of the test before."""

from collections.abc import Iterator

import pytest
from django.db import connection

from connections import models as connections_models
from events import contacts, conversations
from events.knocks import knocks
from registry import matching


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Threads of the front door keep their connections; they go before the database does."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid()")


@pytest.fixture(autouse=True)
def fresh_memory(request, django_db_blocker) -> Iterator[None]:
    """Modules that keep ids in memory forget them: the rows they name are rolled back.

    Where rows are really committed, the archive is emptied by hand: Django, which empties the
    other tables, does not manage it.
    """
    _forget()
    yield
    _forget()
    if _commits(request):
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE omni_raw_payloads")


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    return "transactional_db" in request.fixturenames or bool(
        marker and marker.kwargs.get("transaction"))


def _forget() -> None:
    connections_models.forget()
    conversations.forget()
    contacts.forget()
    knocks.forget()
    matching.forget()
