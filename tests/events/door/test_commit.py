"""The writers' threads: who shares a commit, and who never waits for whom."""

import gc
import threading
import time
import weakref

import pytest

from events.door import commit, drain, spool
from events.door.batches import Job
from events.door.commit import GroupCommit
from events.models import Event, RawPayload
from omni.errors import Unavailable
from tests.factories import make_draft, make_instance, make_unit


def job_of(instance, *drafts, body=b"{}"):
    return Job(make_unit(instance, *(drafts or (make_draft(),)), body=body))


@pytest.fixture
def writer(transactional_db, settings):
    """A writer with its thread, as in production."""
    settings.OMNI_GROUP_COMMIT = True
    writers = GroupCommit()
    yield writers
    writers.end()


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
    writer._small._thread = threading.Thread()  # one that is not alive

    assert writer.submit(job_of(shop)).result(10).event_ids


def test_sender_is_asked_to_try_again_when_the_writer_fails(writer, monkeypatch):
    monkeypatch.setattr(commit, "store", lambda batch: 1 / 0)

    with pytest.raises(Unavailable):
        writer.submit(job_of(make_instance())).result(10)


LARGE = b"x" * (commit.SMALL_BYTES + 1)


def test_large_body_does_not_hold_up_a_small_one(writer, monkeypatch):
    shop = make_instance()
    stored, go_on = commit.store, threading.Event()

    def slow(jobs):
        if jobs[0].size == len(LARGE):
            go_on.wait(10)
        stored(jobs)

    monkeypatch.setattr(commit, "store", slow)
    large = writer.submit(job_of(shop, make_draft("m:large"), body=LARGE))

    assert writer.submit(job_of(shop)).result(5).event_ids
    assert not large.done()
    go_on.set()
    assert large.result(10).event_ids


def test_spool_is_not_drained_while_a_live_delivery_is_being_stored(
        writer, settings, tmp_path, monkeypatch):
    settings.OMNI_SPOOL_DIR = str(tmp_path)
    monkeypatch.setattr(commit, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(drain, "_YIELD_SECONDS", 10)
    shop, happened = make_instance(), []
    is_stored, go_on, waits = commit.store, threading.Event(), threading.Event()
    let_pass, persist = drain._let_pass, drain._persist

    def slow(jobs):
        go_on.wait(10)
        is_stored(jobs)
        happened.append("live")

    monkeypatch.setattr(commit, "store", slow)
    monkeypatch.setattr(drain, "_let_pass", lambda is_quiet: (waits.set(), let_pass(is_quiet)))
    monkeypatch.setattr(drain, "_persist", lambda units: (
        happened.append("spooled"), persist(units)))
    live = writer.submit(job_of(shop, body=b"live"))
    spool.write(spool.pack(make_unit(shop, make_draft("m:spooled"), body=b"spooled").raw))
    monkeypatch.setattr(spool, "_last_try", -100.0)
    assert waits.wait(10)

    go_on.set()

    assert live.result(10).event_ids
    end = time.monotonic() + 10
    while len(happened) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert happened == ["live", "spooled"]


def test_more_bytes_than_may_wait_are_refused_at_once(writer, settings, monkeypatch):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 1000
    monkeypatch.setattr(writer, "_start", lambda: None)  # nobody stores
    shop = make_instance()
    waiting = job_of(shop, body=b"x" * 600)
    writer.submit(waiting)

    with pytest.raises(Unavailable, match="too many bytes"):
        writer.submit(job_of(shop, body=b"x" * 600))
    waiting.done.set_result(None)
    writer.submit(job_of(shop, body=b"x" * 600))


def test_batch_ends_when_its_bytes_are_many(writer, monkeypatch):
    monkeypatch.setattr(commit, "BATCH_BYTES", 1000)
    monkeypatch.setattr(writer, "_start", lambda: None)
    shop = make_instance()
    for _ in range(3):
        writer.submit(job_of(shop, body=b"x" * 600))

    assert [len(writer._small._next_batch()), len(writer._small._next_batch())] == [2, 1]


def test_idle_writers_end_with_their_process_at_once(writer, monkeypatch):
    monkeypatch.setattr(commit, "PAUSE_SECONDS", 60)
    writer.submit(job_of(make_instance())).result(10)
    threads = [writer._small._thread, writer._large._thread]

    writer.end()

    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_answered_delivery_is_let_go_at_once(writer):
    class Headers(dict):
        """Part of the delivery that can be watched."""

    job = job_of(make_instance())
    job.unit.raw.headers = Headers()
    kept = weakref.ref(job.unit.raw.headers)
    gc.disable()
    try:
        writer.submit(job).result(10)
        del job
        end = time.monotonic() + 10
        while kept() is not None and time.monotonic() < end:
            time.sleep(0.01)  # the writer's own last look at it
    finally:
        gc.enable()

    assert kept() is None
