"""A batch in one transaction, none failing its neighbours."""

import pytest
from django.db import InterfaceError, OperationalError, connection
from psycopg import errors

from connections.models import Instance
from events.door import batches, spool
from events.door.batches import Job
from events.models import Event, RawPayload
from events.store import ingest
from omni.errors import Unavailable
from tests.factories import make_draft, make_instance, make_unit


def job_of(instance, *drafts, body=b"{}"):
    return Job(make_unit(instance, *(drafts or (make_draft(),)), body=body))


BAD = {"refused by the database": {"provider_sequence": "many"},
       "endless": {"content": (endless := {})}}
endless["itself"] = endless


@pytest.mark.django_db
@pytest.mark.parametrize("fields", BAD.values(), ids=list(BAD))
def test_bad_delivery_is_a_dead_letter_and_its_neighbours_are_stored(fields):
    shop = make_instance()
    bad = job_of(shop, make_draft(**fields), body=b"bad")
    good = [job_of(shop, body=f"{number}".encode()) for number in range(3)]

    batches.store([good[0], bad, *good[1:]])

    assert all(job.done.result(0).event_ids for job in good)
    raw = RawPayload.objects.dead_letters().get()
    assert (bytes(raw.body), raw.quarantine_reason) == (b"bad", "store_error")
    assert bad.done.result(0).raw_id == raw.pk and bad.done.result(0).event_ids == []
    assert Event.objects.count() == 3


@pytest.mark.django_db
def test_own_event_that_cannot_be_stored_is_an_error_for_who_asked():
    job = Job(make_unit(make_instance(), make_draft(provider_sequence="many")))

    batches.store([job])

    assert job.done.exception(0) is not None


def persist_failing(monkeypatch, *exceptions):
    """`ingest.persist` that raises these one after the other, then works."""
    real, waiting = ingest.persist, list(exceptions)

    def persist(units):
        if waiting:
            raise waiting.pop(0)
        return real(units)

    monkeypatch.setattr(batches.ingest, "persist", persist)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction


@pytest.mark.django_db
@pytest.mark.parametrize("exception", [
    OperationalError("server closed the connection"), InterfaceError("connection is closed")])
def test_connection_that_broke_is_tried_once_more(monkeypatch, exception):
    job = job_of(make_instance())
    persist_failing(monkeypatch, exception)

    batches.store([job])

    assert job.done.result(0).event_ids


@pytest.mark.django_db
def test_without_a_spool_a_database_that_is_away_is_unavailable(monkeypatch):
    jobs = [job_of(make_instance()), job_of(Instance.objects.get())]
    persist_failing(monkeypatch, *[OperationalError("away")] * 4)

    batches.store(jobs)

    assert all(isinstance(job.done.exception(0), Unavailable) for job in jobs)


@pytest.mark.django_db
def test_limit_of_the_database_is_the_deliverys_fault(monkeypatch):
    job = job_of(make_instance())
    too_much = OperationalError("index row size exceeds maximum")
    too_much.__cause__ = errors.ProgramLimitExceeded()
    persist_failing(monkeypatch, too_much)

    batches.store([job])

    assert job.done.result(0).event_ids == []
    assert RawPayload.objects.get().quarantine_reason == "store_error"


@pytest.fixture
def spooling(settings, tmp_path):
    settings.OMNI_SPOOL_DIR = str(tmp_path / "spool")
    return tmp_path / "spool"


@pytest.mark.django_db
def test_database_that_is_away_leaves_the_delivery_to_the_spool(monkeypatch, spooling):
    job = job_of(make_instance())
    persist_failing(monkeypatch, *[OperationalError("away")] * 2)

    batches.store([job])

    assert job.done.result(0) is None
    assert len(list(spool.waiting())) == 1
