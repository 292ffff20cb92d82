"""django-q2's broker: due tasks, and a drain whenever one is missing."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from registry.engine.work import broker as module
from registry.engine.work import drain, quarantine
from registry.engine.work.broker import FabricBroker
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(settings, monkeypatch):
    settings.OMNI_WORKERS = 2
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    drain.STOP.value = 0
    broker = FabricBroker(list_key="test")
    yield broker
    broker.close()


@pytest.fixture
def busy(broker):
    """A broker whose drains are all at work."""
    broker.dequeue()
    broker.dequeue()
    return broker


def add(payload="payload", seconds=-1):
    return OrmQ.objects.create(key="test", payload=payload,
                               lock=timezone.now() + timedelta(seconds=seconds))


def test_missing_drains_are_handed_out_one_at_a_time_until_there_are_enough(broker):
    handed = [broker.dequeue() for _ in range(3)]

    assert [len(tasks or []) for tasks in handed] == [1, 1, 0]
    task = SignedPackage.loads(handed[0][0][1])
    assert task["func"] is drain.drain and task["args"] == ()
    assert task["timeout"] == -1  # a heartbeat decides


def test_quarantine_is_handed_out_when_a_run_waits_that_killed_workers(busy):
    make_run(deaths=2)

    handed = [busy.dequeue() for _ in range(2)]

    assert [len(tasks or []) for tasks in handed] == [1, 0]
    assert SignedPackage.loads(handed[0][0][1])["func"] is quarantine.quarantine


def test_quarantine_that_is_at_it_is_not_handed_out_again(busy):
    make_run(deaths=2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [quarantine.LOCK])

    assert busy.dequeue() is None


def test_drain_that_took_no_slot_in_time_is_handed_out_again(busy):
    for moments in busy._handed.values():
        moments[:] = [moment - module.HAND_SECONDS for moment in moments]

    assert busy.dequeue()


def test_drain_that_holds_a_slot_is_not_missing(broker):
    with connection.cursor() as cursor:
        for slot in drain.cluster_slots():
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [drain.LOCK_CLASS, slot])

    assert broker.dequeue() is None


def test_no_drain_is_handed_out_while_the_cluster_stops(broker):
    drain.STOP.value = 1
    try:
        assert broker.dequeue() is None
    finally:
        drain.STOP.value = 0


def test_task_that_is_due_comes_before_a_drain_and_only_once(busy):
    row = add()
    add(seconds=60)

    assert busy.dequeue() == [(row.pk, "payload")]
    assert busy.dequeue() is None


def test_acknowledged_task_is_gone_and_a_drain_has_no_row(busy):
    row = add()

    busy.acknowledge(row.pk)
    busy.acknowledge("ours:1")

    assert not OrmQ.objects.exists()


def test_task_that_cannot_be_read_is_kept_out_of_the_way(busy, caplog):
    row = add()

    busy.fail(row.pk)
    busy.fail("ours:1")

    assert busy.dequeue() is None
    assert OrmQ.objects.get().lock > timezone.now() + timedelta(days=29)
    assert "could not be read" in caplog.text


def test_database_that_is_away_is_no_error_of_the_broker(broker, monkeypatch, caplog):
    def away():
        raise OperationalError("gone")

    monkeypatch.setattr(broker, "look", away)
    monkeypatch.setattr(connection, "close", lambda: None)  # it holds this test's transaction

    assert broker.dequeue() is None and "Database is away" in caplog.text


def test_broker_says_what_it_is(broker):
    assert "PostgreSQL" in broker.info()
