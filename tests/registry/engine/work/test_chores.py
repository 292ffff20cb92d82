"""What the leading worker does once a second."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event
from omni import statements
from registry.engine.starts import clockwork
from registry.engine.work import chores, leases
from registry.engine.work.chores import Chores
from registry.models import Run, Worker
from tests.factories import make_event, make_instance, make_run, switch_on
from tests.waiting import until

pytestmark = pytest.mark.django_db


class Told(list):
    def chores(self):
        return Chores(routed=lambda: self.append("routed"), ready=lambda: self.append("ready"))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def count(monkeypatch):
    """Counts the statements of a call, those of psycopg and those of Django."""
    def count(work):
        hot, real = [], statements.execute
        with monkeypatch.context() as patch, CaptureQueriesContext(connection) as cold:
            patch.setattr(statements, "execute", lambda *asked: hot.append(asked) or real(*asked))
            work()
        return len(hot) + len(cold)

    return count


def test_nothing_to_do_costs_one_statement_beside_the_clock(told, count, settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    switch_on()
    one = told.chores()
    one._once()  # what is done once a minute
    now = chores.look().now
    of_clock = count(lambda: clockwork.tick(now))

    assert count(one._once) == 1 + of_clock and of_clock <= 2
    assert told == []


def test_one_look_says_everything_there_may_be_to_do():
    assert chores.look()[1:] == (False, False, False, None, False, False, False)


def test_unrouted_event_is_told_to_the_router(told):
    make_event(make_instance(), routed_at=None)

    told.chores()._once()

    assert told == ["routed"]


@pytest.mark.parametrize(("fields", "is_told"), [
    ({}, True),
    ({"available_at": timezone.now() + timedelta(hours=1)}, False),
    ({"deaths": 2}, False),
], ids=["due", "later", "suspect"])
def test_drain_is_told_of_runs_it_may_take(told, fields, is_told):
    make_run(**fields)

    told.chores()._once()

    assert told == (["ready"] if is_told else [])


def test_run_whose_time_has_come_is_woken(told):
    run = make_run(state="waiting")

    told.chores()._once()

    run.refresh_from_db()
    assert run.state == "queued" and told == ["ready"]


def test_next_look_comes_when_the_next_run_is_due(told):
    make_run(state="waiting", available_at=timezone.now() + timedelta(seconds=0.5))

    assert 0 < told.chores()._once() <= 0.5


def test_lost_run_is_taken_back(told):
    run = make_run(state="running", lease_owner="gone",
                   lease_until=timezone.now() - timedelta(seconds=1))

    told.chores()._once()

    run.refresh_from_db()
    assert (run.state, run.deaths) == ("queued", 1) and "ready" in told


def test_what_stands_in_line_for_no_reason_goes_on_within_a_minute(told, caplog):
    run = make_run(state="blocked")
    leases.beat("gone")
    Worker.objects.update(until=timezone.now() - timedelta(hours=2))
    with caplog.at_level(logging.ERROR):
        told.chores()._once()

    run.refresh_from_db()
    assert run.state == "queued" and told == ["ready"] and not Worker.objects.exists()


@pytest.mark.parametrize("broken", ["derive.redo", "endings.look", "endings.sweep"])
def test_chore_that_always_fails_keeps_no_other_from_being_done(told, monkeypatch, broken, caplog):
    """Schedules of everybody come last: one bad wait must not stop them."""
    def fail(*asked, **options):
        raise ZeroDivisionError("bug")

    found = chores.look()._replace(underived=True, unlooked=True, sending=True)
    monkeypatch.setattr(chores, "look", lambda: found)
    monkeypatch.setattr(f"registry.engine.work.chores.{broken}", fail)
    ticked = []
    monkeypatch.setattr(clockwork, "tick", ticked.append)
    one = told.chores()
    with caplog.at_level(logging.CRITICAL):
        one._once()

    assert ticked == [found.now] and one.looked_at == found.now


@pytest.mark.django_db(transaction=True)
def test_thread_looks_until_it_is_stopped_and_at_once_when_it_is_poked(told, monkeypatch):
    one = told.chores()
    one.start()
    assert until(lambda: one.looked_at is not None)
    monkeypatch.setattr(chores, "LOOK_SECONDS", 60.0)
    first = one.looked_at
    run = make_run(state="waiting")

    one.poke()

    assert until(lambda: one.looked_at != first)
    assert until(lambda: Run.objects.get(pk=run.pk).state == "queued")
    one.stop()
    assert not one._thread.is_alive() and not Event.objects.filter(routed_at=None).exists()
