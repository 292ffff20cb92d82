"""Group commit: many deliveries in one transaction, none failing its neighbours."""

import threading

import pytest
from django.db import InterfaceError, OperationalError, connection
from psycopg import errors

from connections.models import Instance
from events import commit, ingest, spool
from events.commit import GroupCommit, Job
from events.models import Event, RawPayload
from omni.errors import Unavailable
from tests.factories import make_draft, make_instance, make_raw_row, make_unit, make_webhook


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

    commit.store([good[0], bad, *good[1:]])

    assert all(job.done.result(0).event_ids for job in good)
    raw = RawPayload.objects.dead_letters().get()
    assert (bytes(raw.body), raw.quarantine_reason) == (b"bad", "store_error")
    assert bad.done.result(0).raw_id == raw.pk and bad.done.result(0).event_ids == []
    assert Event.objects.count() == 3


@pytest.mark.django_db
def test_own_event_that_cannot_be_stored_is_an_error_for_who_asked():
    job = Job(make_unit(make_instance(), make_draft(provider_sequence="many")))

    commit.store([job])

    assert job.done.exception(0) is not None


def persist_failing(monkeypatch, *exceptions):
    """`ingest.persist` that raises these one after the other, then works."""
    real, waiting = ingest.persist, list(exceptions)

    def persist(units):
        if waiting:
            raise waiting.pop(0)
        return real(units)

    monkeypatch.setattr(commit.ingest, "persist", persist)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction


@pytest.mark.django_db
@pytest.mark.parametrize("exception", [
    OperationalError("server closed the connection"), InterfaceError("connection is closed")])
def test_connection_that_broke_is_tried_once_more(monkeypatch, exception):
    job = job_of(make_instance())
    persist_failing(monkeypatch, exception)

    commit.store([job])

    assert job.done.result(0).event_ids


@pytest.mark.django_db
def test_without_a_spool_a_database_that_is_away_is_unavailable(monkeypatch):
    jobs = [job_of(make_instance()), job_of(Instance.objects.get())]
    persist_failing(monkeypatch, *[OperationalError("away")] * 4)

    commit.store(jobs)

    assert all(isinstance(job.done.exception(0), Unavailable) for job in jobs)


@pytest.mark.django_db
def test_limit_of_the_database_is_the_deliverys_fault(monkeypatch):
    job = job_of(make_instance())
    too_much = OperationalError("index row size exceeds maximum")
    too_much.__cause__ = errors.ProgramLimitExceeded()
    persist_failing(monkeypatch, too_much)

    commit.store([job])

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

    commit.store([job])

    assert job.done.result(0) is None
    assert len(spool.waiting()) == 1


def spooled(instance, body):
    return spool.write(spool.pack(make_raw_row(instance, body)))


@pytest.mark.django_db
def test_spool_is_drained_in_order_and_emptied(spooling):
    shop = make_webhook(mapping={"id": "id"})
    for number in range(3):
        spooled(shop, b'{"id": %d}' % number)

    count = commit.drain_spool()

    assert count == 3 and spool.waiting() == []
    assert list(Event.objects.order_by("id").values_list("dedup_key", flat=True)) == [
        "id:0", "id:1", "id:2"]


@pytest.mark.django_db
def test_draining_twice_stores_once(spooling):
    shop = make_webhook()
    path = spooled(shop, b'{"a": 1}')
    entry = path.read_bytes()
    commit.drain_spool()
    path.write_bytes(entry)

    commit.drain_spool()

    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_spooled_delivery_of_an_instance_that_is_gone_is_a_dead_letter(spooling):
    shop, desk = make_webhook(), make_webhook("desk")
    spooled(shop, b'{"a": 1}')
    spooled(desk, b'{"a": 2}')
    shop.delete()

    count = commit.drain_spool()

    assert count == 2 and spool.waiting() == []
    assert RawPayload.objects.dead_letters().get().quarantine_reason == "instance_gone"
    assert Event.objects.get().instance == desk


@pytest.mark.django_db
def test_spooled_delivery_of_settings_that_no_longer_fit_is_a_dead_letter(spooling):
    shop = make_webhook()
    spooled(shop, b'{"a": 1}')
    Instance.objects.update(settings={"nonsense": 1})

    commit.drain_spool()

    raw = RawPayload.objects.get()
    assert raw.quarantine_reason == "instance_settings" and "nonsense" in raw.quarantine_detail


@pytest.mark.django_db
def test_spooled_delivery_the_store_refuses_does_not_block_the_others(spooling, monkeypatch):
    shop = make_webhook()
    for number in range(2):
        spooled(shop, b'{"n": %d}' % number)
    real = commit.understand

    def understand(delivery, **more):
        understood = real(delivery, **more)
        if delivery.body == b'{"n": 0}':
            understood.drafts[0].provider_sequence = "many"
        return understood

    monkeypatch.setattr(commit, "understand", understand)

    count = commit.drain_spool()

    assert count == 2 and spool.waiting() == []
    assert RawPayload.objects.dead_letters().get().quarantine_reason == "store_error"
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_spool_waits_while_the_database_is_away(spooling, monkeypatch):
    spooled(make_webhook(), b"{}")
    persist_failing(monkeypatch, OperationalError("away"))

    with pytest.raises(OperationalError):
        commit.drain_spool()

    assert len(spool.waiting()) == 1


@pytest.fixture
def writer(transactional_db, settings):
    """A writer with its thread, as in production."""
    settings.OMNI_GROUP_COMMIT = True
    return GroupCommit()


def test_deliveries_of_many_threads_are_all_answered(writer):
    shop = make_instance()
    futures, lock = [], threading.Lock()

    def post(number):
        future = writer.submit(job_of(shop, make_draft(f"m:{number % 5}"), body=b"%d" % number))
        with lock:
            futures.append(future)

    threads = [threading.Thread(target=post, args=[number]) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    results = [future.result(10) for future in futures]
    assert sum(len(result.event_ids) for result in results) == 5
    assert Event.objects.count() == 5
    assert RawPayload.objects.count() == 40


def test_more_deliveries_than_may_wait_are_refused_at_once(writer, settings, monkeypatch):
    settings.OMNI_COMMIT_QUEUE = 2
    monkeypatch.setattr(writer, "_start", lambda: None)  # nobody stores
    shop = make_instance()
    writer.submit(job_of(shop))
    writer.submit(job_of(shop))

    with pytest.raises(Unavailable, match="too many deliveries"):
        writer.submit(job_of(shop))


def test_queued_deliveries_are_stored_before_a_clean_stop(writer):
    shop = make_instance()
    futures = [writer.submit(job_of(shop)) for _ in range(20)]

    assert writer.drain(10)
    assert all(future.done() for future in futures)
    assert Event.objects.count() == 20


def test_writer_whose_thread_died_starts_again(writer):
    shop = make_instance()
    writer.submit(job_of(shop)).result(10)
    writer._thread = threading.Thread()  # one that is not alive

    assert writer.submit(job_of(shop)).result(10).event_ids
