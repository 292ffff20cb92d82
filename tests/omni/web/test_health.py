"""Alive, and ready to work."""

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, connection

from omni.web import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker():
    """A connection that says it is a worker's."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    with psycopg.connect(**{**parameters, "application_name": "omni-worker"}) as found:
        yield found


def test_process_that_answers_is_alive_without_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_system_with_a_worker_is_ready(client, worker):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "missing": []})


def test_system_without_a_worker_says_so(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["missing"]) == (503, ["no worker is running"])


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_system_without_a_database_says_so(rf, monkeypatch, error):
    def away():
        raise error

    monkeypatch.setattr(health.connection, "cursor", away)

    answer = health.readyz(rf.get("/readyz"))

    assert answer.status_code == 503 and b"the database does not answer" in answer.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_head_is_answered_as_well(client, worker, path):
    assert client.head(path).status_code == 200
