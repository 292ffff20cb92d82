"""Who is alive: a lease for each worker, however many runs it has."""

import logging
import threading

import pytest
from django.db import OperationalError, connection

from registry.engine.waits import endings
from registry.engine.work import leases, queue
from registry.engine.work.leases import Heartbeat
from registry.models import Run, Worker
from tests.factories import make_run
from tests.waiting import until

pytestmark = pytest.mark.django_db


@pytest.fixture
def own():
    """Three runs at work of a worker that is alive."""
    first = make_run()
    runs = [first, *(make_run(first.event, replay_no=number) for number in (1, 2))]
    leases.beat("w1")
    claims = queue.claim("w1", limit=3)
    assert [claim.run_id for claim in claims] == [run.pk for run in runs]
    return claims


def owners():
    return list(Worker.objects.order_by("owner").values_list("owner", flat=True))


def states():
    return list(Run.objects.order_by("id").values_list("state", "deaths", "lease_owner"))


def test_lease_is_renewed_in_one_statement_however_many_runs_there_are(
        own, clock, monkeypatch):
    before = Run.objects.first().lease_until
    clock.forward(seconds=5)
    statements, real = [], leases.statements.execute
    monkeypatch.setattr(leases.statements, "execute",
                        lambda *asked: statements.append(asked) or real(*asked))

    Heartbeat("w1", overdue=list)._renew()

    worker = Worker.objects.get()
    assert len(statements) == 1
    assert (worker.until - before).total_seconds() == pytest.approx(5, abs=2)
    assert Run.objects.first().lease_until == before  # no run is written


def test_runs_of_a_worker_that_is_alive_are_kept_after_their_own_lease_ran_out(own, clock):
    clock.forward(seconds=8)
    leases.beat("w1")
    clock.forward(seconds=8)

    assert endings.sweep() == ([], []) and states() == [("running", 0, "w1")] * 3


def test_runs_of_a_killed_worker_are_taken_back_when_its_lease_has_run_out_and_not_before(
        own, clock):
    clock.forward(seconds=5)
    leases.beat("w1")
    clock.forward(seconds=9)
    before = endings.sweep()
    clock.forward(seconds=2)

    after = endings.sweep()

    assert before == ([], []) and after == ([claim.run_id for claim in own], [])
    assert states() == [("queued", 1, "")] * 3


def test_run_whose_worker_died_before_its_first_beat_is_taken_back(clock):
    run = make_run()
    queue.claim("w1", limit=1)
    clock.forward(seconds=11)

    assert endings.sweep() == ([run.pk], [])


def test_run_that_was_let_go_is_taken_back_though_its_worker_lives(own):
    leases.let_go(own[:1])

    assert endings.sweep() == ([own[0].run_id], [])
    assert states() == [("queued", 1, ""), ("running", 0, "w1"), ("running", 0, "w1")]


def test_run_that_somebody_else_has_is_not_let_go(own):
    old = queue.Claim(own[0].run_id, own[0].token - 1, 0, own[0].now)

    leases.let_go([old])

    assert states() == [("running", 0, "w1")] * 3


def test_worker_that_stops_well_gives_back_its_runs_and_is_forgotten(own):
    leases.beat("w2")

    leases.release("w1")

    assert states() == [("queued", 0, "")] * 3
    assert owners() == ["w2"]


def test_worker_that_went_long_ago_is_forgotten(clock):
    leases.beat("gone")
    clock.forward(minutes=62)
    leases.beat("w1")

    leases.forget()

    assert owners() == ["w1"]


@pytest.fixture
def heartbeat(monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.04)
    made = []

    def begin(**options):
        made.append(Heartbeat("w1", **{"overdue": list, **options}))
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.stop()


@pytest.mark.django_db(transaction=True)
def test_heartbeat_begins_with_a_beat_and_goes_on_until_it_is_stopped(heartbeat):
    beating = heartbeat(looked=queue.now)
    first = Worker.objects.get()

    assert first.looked_at is None and until(lambda: Worker.objects.get().until > first.until)
    assert until(lambda: Worker.objects.get().looked_at)
    beating.stop()
    assert not beating._thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_what_hung_is_let_go_even_if_the_database_was_away_just_then(
        heartbeat, monkeypatch, caplog):
    make_run()
    [claim] = queue.claim("w1", limit=1)
    hung, done = [[claim]], threading.Event()
    real, tries = leases.let_go, []

    def let_go(claims):
        tries.append(list(claims))
        if len(tries) == 1:
            raise OperationalError("gone")
        real(claims)

    monkeypatch.setattr(leases, "let_go", let_go)
    with caplog.at_level(logging.CRITICAL):
        heartbeat(overdue=lambda: hung.pop() if hung else [], after=done.set)

        assert done.wait(20) and tries == [[claim], [claim]]
    assert endings.sweep() == ([claim.run_id], [])


@pytest.mark.django_db(transaction=True)
def test_heartbeat_goes_on_after_the_database_was_away(heartbeat, monkeypatch, caplog):
    real, beats = leases.beat, []

    def beat(owner, **options):
        beats.append(owner)
        if len(beats) == 2:
            raise OperationalError("gone")
        real(owner, **options)

    monkeypatch.setattr(leases, "beat", beat)
    with caplog.at_level(logging.CRITICAL):
        heartbeat()

        assert until(lambda: len(beats) > 3)
    assert connection.is_usable() and Worker.objects.exists()
