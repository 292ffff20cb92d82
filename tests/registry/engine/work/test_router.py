"""The one router: one worker routes at a time, and another goes on when it dies."""

import logging
import threading

import pytest
from django.db import connection
from django.utils import timezone

from events.models import Event
from events.store import notify
from registry.engine.route import inbox
from registry.engine.work import chores, router
from registry.engine.work.router import Router
from tests.factories import make_event, make_instance, make_run, switch_on
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
_HOLDER = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class NoHands:
    """A worker whose threads are all taken."""

    owner = "busy"

    def reserve(self, instance_id):
        return False


class Lead:
    """Routers of several workers. led: whose hands routed, call by call."""

    def __init__(self):
        self.made, self.led = [], []
        self.real = router.routing.route
        self.errors = []

    def begin(self, ready=lambda: None):
        made = Router(NoHands(), ready=ready)
        self.made.append(made)
        made.start()
        return made

    def route(self, *, hands):
        if self.errors:
            raise self.errors.pop()
        count = self.real(hands=hands)
        self.led.append(hands)
        return count

    def leader(self):
        return next(one for one in self.made if one._pool is self.led[-1])


@pytest.fixture
def lead(monkeypatch):
    lead = Lead()
    monkeypatch.setattr(router.routing, "route", lead.route)
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.1)
    yield lead
    for one in lead.made:
        one.stop()


def come(shop):
    return make_event(shop, routed_at=None)


def are_routed():
    return not Event.objects.filter(routed_at=None).exists()


def holder():
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER, [router.LOCK])
        return [pid for pid, in cursor.fetchall()]


def test_only_the_holder_of_the_lock_routes(lead):
    shop = make_instance()
    switch_on()
    for _ in range(2):
        lead.begin()

    for _ in range(5):
        come(shop)
        assert until(are_routed)

    assert len(set(map(id, lead.led))) == 1 and len(holder()) == 1
    assert sum(one.looked_at() is not None for one in lead.made) == 1


def test_event_that_is_told_of_is_routed_at_once(lead, monkeypatch):
    monkeypatch.setattr(chores, "LOOK_SECONDS", 60.0)
    shop = make_instance()
    lead.begin()
    assert until(lambda: lead.led and holder())

    come(shop)
    notify.notifier.send(notify.EVENTS)

    assert until(are_routed)


def test_another_routes_when_the_session_of_the_holder_is_killed(lead):
    shop = make_instance()
    for _ in range(2):
        lead.begin()
    assert until(lambda: lead.led)
    dead = lead.leader()
    dead._stopped.set()  # it is a process that is gone: it does not come back

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", holder())
    killed = timezone.now()
    event = come(shop)

    assert until(are_routed)
    event.refresh_from_db()
    assert lead.leader() is not dead
    assert (event.routed_at - killed).total_seconds() < 2


def test_holder_whose_session_is_killed_tries_for_the_lock_again(lead, monkeypatch):
    monkeypatch.setattr(router, "TRY_SECONDS", 0.05)
    lead.begin()
    assert until(lambda: lead.led)

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", holder())
    come(make_instance())

    assert until(are_routed)


def test_error_in_routing_does_not_end_the_router(lead, monkeypatch, caplog):
    monkeypatch.setattr(router, "TRY_SECONDS", 0.05)
    lead.errors = [ZeroDivisionError("bug")]
    come(make_instance())

    with caplog.at_level(logging.CRITICAL):
        lead.begin()

        assert until(are_routed)


def test_router_stops_in_a_flood_after_the_batch_at_hand_and_frees_the_lock(lead, monkeypatch):
    batches = threading.Semaphore(0)
    monkeypatch.setattr(router.routing, "route",
                        lambda *, hands: batches.release() or inbox.BATCH)
    one = lead.begin()
    assert batches.acquire(timeout=20)

    stopping = threading.Thread(target=one.stop, daemon=True)
    stopping.start()
    stopping.join(20)

    is_stopped = not stopping.is_alive()
    monkeypatch.setattr(router.routing, "route", lambda *, hands: 0)
    assert is_stopped and until(lambda: holder() == [])


def test_workers_are_told_that_runs_are_queued_by_their_own_router(lead):
    """Also by one that does not lead: nobody else would wake its drain."""
    make_run()
    told = [threading.Event() for _ in range(2)]
    for one in told:
        lead.begin(ready=one.set)

    assert all(one.wait(20) for one in told)
