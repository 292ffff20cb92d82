"""A worker's turn: new events are routed and due runs are walked, until the cluster stops."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from events.models import MessageState, Underived
from registry.engine.waits import waiting
from registry.engine.work import drain
from registry.engine.work.drain import Drain
from registry.models import Run, Wait
from tests.factories import make_event, make_instance, make_run, switch_on

SECONDS = 15


def until(condition, seconds=SECONDS):
    """Wait for a condition; False when time ran out."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if condition():
            return True
        pause.wait(0.05)
    return False


class Turn:
    """A drain in a thread of its own."""

    def __init__(self, **options):
        self.drain = Drain(**{"threads": 2, **options})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.drain.run()
        finally:
            connection.close()

    def ended(self):
        self._thread.join(SECONDS)
        return not self._thread.is_alive()


@pytest.fixture
def turn():
    turns = []

    def begin(**options):
        turns.append(Turn(**options))
        return turns[-1]

    drain.STOP.value = 0
    yield begin
    drain.STOP.value = 1
    assert all(turn.ended() for turn in turns)
    drain.STOP.value = 0


@pytest.mark.django_db(transaction=True)
def test_new_event_is_routed_and_its_run_is_walked_to_the_end(turn):
    switch_on()
    turn()

    event = make_event(make_instance(), routed_at=None)

    assert until(lambda: Run.objects.filter(event=event, state="done").exists())


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_derived_is_done_again_without_anything_new(turn):
    shop = make_instance()
    message = make_event(shop, provider_message_id="m1", text="hello")
    Underived.objects.create(event=message, error="deadlock detected", since=timezone.now(),
                             next_try=timezone.now())
    turn()

    assert until(lambda: not Underived.objects.exists())
    assert MessageState.objects.get().text == "hello"


@pytest.mark.django_db(transaction=True)
def test_run_of_a_dead_worker_is_taken_back_and_ended(turn):
    run = make_run(state="running", lease_owner="gone", token=4,
                   lease_until=timezone.now() - timedelta(seconds=1))
    turn()

    assert until(lambda: Run.objects.get(pk=run.pk).state == "done")
    assert Run.objects.get(pk=run.pk).token > 5


@pytest.mark.django_db(transaction=True)
def test_run_that_killed_workers_before_is_left_to_the_quarantine(turn):
    suspect, healthy = make_run(deaths=2), make_run()
    turn()

    assert until(lambda: Run.objects.get(pk=healthy.pk).state == "done")
    assert Run.objects.get(pk=suspect.pk).state == "queued"


@pytest.mark.django_db(transaction=True)
def test_drain_without_a_free_slot_leaves_at_once(turn, settings):
    settings.OMNI_WORKERS = 1
    first = turn()
    assert until(lambda: _held() == 1)

    second = turn()

    assert second.ended() and _held() == 1 and first._thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_slot_is_free_when_the_drain_has_ended(turn):
    one = turn()
    assert until(lambda: _held() == 1)
    drain.STOP.value = 1

    assert one.ended() and until(lambda: _held() == 0)


def _held():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                       "AND classid = %s AND database = (SELECT oid FROM pg_database "
                       "WHERE datname = current_database())", [drain.LOCK_CLASS])
        return cursor.fetchone()[0]


def test_workers_of_one_parent_share_their_slots(settings):
    settings.OMNI_WORKERS = 3

    assert drain.cluster_slots() == drain.cluster_slots()
    assert len(drain.cluster_slots()) == 3 and drain.cluster_slots()[-1] < 2 ** 31


@pytest.mark.django_db(transaction=True)
def test_wait_whose_worker_died_before_it_looked_is_looked_for(turn):
    run = make_run(state="waiting", available_at=timezone.now() + timedelta(hours=1))
    Wait.objects.create(
        run=run, instance_id=run.instance_id, path="steps[0]", kind="event", looked=False,
        event_types=["message.text"], match_hash=waiting.pairs_digest({})[1], facts={"pairs": {}},
        since_id=run.event_id, created_at=timezone.now() - timedelta(minutes=1))
    make_event(run.instance)
    turn()

    assert until(lambda: Wait.objects.get().state != "open")


def test_what_is_said_while_the_drain_claims_is_not_forgotten(monkeypatch):
    one = Drain(threads=2)

    def claim(*asked, **options):
        one._ready()  # by the router, after this claim's snapshot
        return []

    monkeypatch.setattr(drain.queue, "claim", claim)

    one._claim()

    assert one._has_more
