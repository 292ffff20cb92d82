"""Runs of a conversation begin in the order of its events, whoever sends and would route."""

import pytest

from connections.models import Instance
from events.models import Event
from events.store import notify
from registry.engine.work import chores, router
from registry.engine.work.router import Router
from registry.models import RoutingDecision
from tests.factories import make_event, make_instance, switch_on
from tests.two_connections import Elsewhere
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
SENDERS, EACH = 4, 180


class Hands:
    """A worker with threads for everybody, that remembers whose runs it began."""

    owner = "w1"

    def __init__(self):
        self.begun = []

    def reserve(self, instance_id):
        return True

    def give_back(self, instance_id):
        raise AssertionError("every run begins")

    def begin(self, claim, run=None, *, reserved=False):
        self.begun.append((run.event.conversation_ref, run.event_id))


def test_runs_of_a_conversation_begin_in_the_order_of_its_events(monkeypatch):
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(router, "TRY_SECONDS", 0.05)
    switch_on()
    make_instance()
    hands = Hands()
    routers = [Router(hands, ready=lambda: None) for _ in range(4)]
    for one in routers:
        one.start()

    def send(sender):
        shop = Instance.objects.get()
        for number in range(EACH):
            make_event(shop, routed_at=None, conversation_ref=f"{sender}:{number % 3}")
            if number % 10 == 0:
                notify.notifier.send(notify.EVENTS)

    senders = [Elsewhere(lambda number=number: send(number)) for number in range(SENDERS)]
    for one in senders:
        one.gives()
    try:
        assert until(lambda: not Event.objects.filter(routed_at=None).exists())
    finally:
        for one in routers:
            one.stop()

    assert len(hands.begun) == RoutingDecision.objects.count() == SENDERS * EACH
    for place in {place for place, _ in hands.begun}:
        ids = [event_id for ref, event_id in hands.begun if ref == place]
        assert ids == sorted(ids) and len(ids) == EACH / 3
