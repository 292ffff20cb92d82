"""Alive, and ready to work."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from omni.web import health
from registry.models import Worker
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker():
    """One that is alive and looks for work."""
    now = timezone.now()
    return Worker.objects.create(owner="w1", until=now + timedelta(seconds=9), looked_at=now)


def test_process_that_answers_is_alive_without_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_system_with_a_worker_is_ready(client, worker):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "missing": []})


def test_events_that_are_not_routed_are_a_reason_and_their_age_is_said(client, worker):
    event = make_event(make_instance(), routed_at=None)
    young = client.get("/readyz").status_code
    type(event).objects.filter(pk=event.pk).update(
        created_at=timezone.now() - timedelta(seconds=health.ROUTED_SECONDS + 5))

    answer = client.get("/readyz")

    assert (young, answer.status_code) == (200, 503)
    assert answer.json()["missing"] == ["the oldest event has waited 125 s to be routed"]


@pytest.mark.parametrize(("looked", "said"), [
    (None, "no worker looks for work"), (20, "no worker looks for work since 20 s")])
def test_workers_of_which_none_looks_for_work_are_not_enough(client, worker, looked, said):
    Worker.objects.update(
        looked_at=looked and timezone.now() - timedelta(seconds=looked))

    assert client.get("/readyz").json()["missing"] == [said]


def test_worker_whose_lease_ran_out_is_none(client, worker):
    Worker.objects.update(until=timezone.now() - timedelta(seconds=1))

    assert client.get("/readyz").json()["missing"] == ["no worker is running"]


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
