"""Runs that killed workers before are tried alone, and nobody waits for them."""

import logging
import threading
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from registry.engine.waits import endings
from registry.engine.work import leases, pool, quarantine, queue
from registry.engine.work.quarantine import Quarantine
from registry.engine.work.session import Session
from registry.models import Run, Worker
from tests.factories import make_run
from tests.two_connections import Elsewhere
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


class At:
    """A run at work until it is let end. What it raises comes out of `runner.advance`."""

    def __init__(self):
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.error = None
        self.is_hung = False

    def __call__(self, claim, *, watch):
        if self.is_hung:
            watch(SimpleNamespace(is_overdue=lambda grace: True))
        self.begun.set()
        assert self.may_end.wait(20)
        if self.error is not None:
            raise self.error


@pytest.fixture
def at(monkeypatch):
    at = At()
    monkeypatch.setattr(quarantine, "runner", SimpleNamespace(advance=at))
    yield at
    at.may_end.set()


def state(run):
    return Run.objects.values_list("state", "deaths").get(pk=run.pk)


def test_every_suspect_is_taken_as_far_as_it_goes():
    first = make_run(deaths=2)
    second = make_run(first.event, replay_no=1, deaths=2)
    healthy = make_run(first.event, replay_no=2)

    assert Quarantine().run() == 2

    assert [state(run)[0] for run in (first, second, healthy)] == ["done", "done", "queued"]
    assert not Worker.objects.exists()


def test_nobody_else_is_at_it_meanwhile():
    make_run(deaths=2)
    with Session() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [quarantine.LOCK])

        assert Quarantine().run() == 0


def test_other_runs_go_on_while_a_suspect_is_at_work(at):
    suspect = make_run(deaths=2)
    alone = Elsewhere(Quarantine().run)
    assert at.begun.wait(20)
    healthy = make_run(suspect.event, replay_no=1)
    shared = pool.Pool("w1", threads=2, share=1)

    for claim in queue.claim("w1", limit=2):
        shared.begin(claim)

    assert until(lambda: state(healthy)[0] == "done") and state(suspect)[0] == "running"
    assert shared.finish(seconds=20)
    at.may_end.set()
    assert alone.gives() == 1


def test_suspect_that_hangs_is_let_go_and_the_process_ended(at, monkeypatch, caplog):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.04)
    suspect, hung = make_run(deaths=2), threading.Event()
    at.is_hung = True
    with caplog.at_level(logging.CRITICAL):
        alone = Elsewhere(Quarantine(hung=hung.set).run)

        assert hung.wait(20)
    assert endings.sweep() == ([], [suspect.pk]) and state(suspect) == ("dead", 3)
    at.may_end.set()
    alone.gives()


def test_suspect_that_cannot_be_taken_any_further_fails_and_is_not_tried_for_ever(at, caplog):
    suspect = make_run(deaths=2)
    at.error = ZeroDivisionError("bug")
    at.may_end.set()
    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            Run.objects.update(available_at=timezone.now())
            assert Quarantine().run() == 1

    assert state(suspect) == ("failed", 2)
    assert connection.is_usable()
