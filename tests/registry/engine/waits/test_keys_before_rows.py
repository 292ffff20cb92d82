"""A run is changed by whoever holds its place in line first: nobody waits in a circle."""

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.waits import approvals, endings
from registry.engine.work import queue
from registry.engine.work.queue import Fenced
from registry.models import Approval, Run
from tests.factories import make_event, make_instance
from tests.two_connections import Elsewhere
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
ENDS = {
    "end": "- set: {a: 1}",
    "sleep": "- wait: 1h",
    "sleep for an event": "- wait: {event: message.text}",
}


@pytest.mark.parametrize("steps", ENDS.values(), ids=list(ENDS))
def test_run_is_canceled_while_it_ends_or_falls_asleep(start, steps):
    run = start(steps, event=make_event(make_instance()), slot_key="a")
    [claim] = queue.claim("w1", limit=1)

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(lambda: runner.advance(claim))
        waited_for = other.waits_for()
        ended = endings.cancel([run.pk], reason="test")
    other.gives()

    assert (waited_for, ended) == ("advisory", [run.pk])


TWO = """
- parallel:
    left: [{wait: {event: message.text, timeout: 1h}}]
    right: [{approval: {ask: "Yes?", of: ["user:bo"], timeout: 2h, on_timeout: reject}}]
"""
RUNS = 100


class Beside:
    """Somebody who does one thing over and over, until the test is over."""

    def __init__(self, work):
        self._work, self._stop = work, threading.Event()
        self.errors = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.wait(0.002):
                try:
                    self._work()
                except Fenced:
                    pass
                except DatabaseError as exc:
                    self.errors.append(str(exc))
        finally:
            connection.close()

    def stop(self):
        self._stop.set()
        self._thread.join(30)


def answer():
    for approval in Approval.objects.filter(state="open")[:5]:
        approvals.answer(approval, "approve", actor="user:bo")


def walk():
    for claim in queue.claim(threading.current_thread().name, limit=3):
        runner.advance(claim)


def test_runs_with_two_waits_sleep_and_wake_beside_a_router_and_answers(start, caplog):
    shop = make_instance()
    event = make_event(shop)
    first = start(TWO, event=event, slot_key="k0", slot_limit=2)
    fields = {field.attname: getattr(first, field.attname) for field in Run._meta.concrete_fields
              if field.attname not in ("id", "ticket", "replay_no", "slot_key")}
    beside = [Beside(work) for work in (routing.route, answer, walk, walk)]
    try:
        for number in range(1, RUNS):
            Run.objects.create(**fields, replay_no=number, slot_key=f"k{number % 5}")
            if number % 5 == 0:
                make_event(shop, routed_at=None)

        def are_done():
            if Run.objects.filter(state="waiting").exists():
                make_event(shop, routed_at=None)
            return not Run.objects.exclude(state="done").exists()

        assert until(are_done, 60, every=0.1)
    finally:
        for one in beside:
            one.stop()

    assert [one.errors for one in beside] == [[], [], [], []]
    assert "batch failed" not in caplog.text
