"""New events meet the workflows: one decision each, and what is derived from them."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from events.models import Event, MessageState, OutboxMessage
from events.outbox import echoes
from events.store import state
from registry.engine.route import routing
from registry.models import RoutingDecision, Run
from tests.factories import (
    NOON,
    make_conversation,
    make_event,
    make_instance,
    make_sent,
    switch_on,
)
from tests.registry.runs import lay_backwards

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


def unrouted(shop, **fields):
    return make_event(shop, **{"routed_at": None, **fields})


def test_new_event_is_decided_on_once(shop):
    workflow = switch_on()
    event = unrouted(shop)

    counts = routing.route(), routing.route()

    decision, run = RoutingDecision.objects.get(), Run.objects.get()
    event.refresh_from_db()
    assert counts == (1, 0) and event.routed_at is not None
    assert (decision.event_id, decision.matched) == (event.pk, 1)
    assert decision.considered == [{
        "workflow": "greeter", "version": 1, "binding": workflow.bindings.get().pk,
        "result": "matched", "clause": "", "run_id": run.pk}]


def test_event_nobody_listens_for_says_so(shop):
    unrouted(shop, event_type="presence.typing")

    routing.route()

    assert RoutingDecision.objects.get().reason == "no enabled workflow listens for presence.typing"
    assert not Run.objects.exists()


def test_no_more_events_than_asked_for_are_taken(shop):
    for _ in range(5):
        unrouted(shop)

    assert [routing.route(2), routing.route(2), routing.route(2)] == [2, 2, 1]


def test_matching_that_fails_is_the_decision_of_its_event_only(shop, monkeypatch):
    switch_on()
    bad, good = unrouted(shop), unrouted(shop)
    real = routing.matching.match

    def match(event, on):
        if event.pk == bad.pk:
            raise ZeroDivisionError("division by zero")
        return real(event, on)

    monkeypatch.setattr(routing.matching, "match", match)

    routing.route()

    reasons = dict(RoutingDecision.objects.values_list("event_id", "reason"))
    assert reasons == {bad.pk: "matching failed: ZeroDivisionError: division by zero",
                       good.pk: ""}
    assert Run.objects.get().event_id == good.pk


def test_matching_the_database_refuses_is_the_decision_of_its_event_only(shop, monkeypatch):
    switch_on()
    bad, good = unrouted(shop), unrouted(shop)
    real = routing.matching.match

    def match(event, on):
        if event.pk == bad.pk:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return real(event, on)

    monkeypatch.setattr(routing.matching, "match", match)

    assert routing.route() == 2
    assert Run.objects.get().event_id == good.pk
    assert "division by zero" in RoutingDecision.objects.get(event=bad).reason


def test_derived_rows_that_fail_do_not_stop_routing(shop, monkeypatch):
    monkeypatch.setattr(state, "apply", lambda *_: 1 / 0)
    unrouted(shop, **EFFECT)

    assert routing.route() == 1
    assert RoutingDecision.objects.exists() and not MessageState.objects.exists()


def test_routed_message_has_a_state(shop):
    unrouted(shop, provider_message_id="m1", text="hello")

    routing.route()

    assert MessageState.objects.get().text == "hello"


EFFECT = {"event_type": "message.reaction", "target_message_id": "m1", "relation": "reacts_to",
          "content": {"emoji": "x"}}


@pytest.mark.parametrize("order", ["message first", "effect first", "together"])
def test_effect_is_linked_to_its_message_whichever_comes_first(shop, order):
    chat = make_conversation(shop)
    makers = [lambda: unrouted(shop, provider_message_id="m1", conversation=chat),
              lambda: unrouted(shop, **EFFECT)]
    for make in reversed(makers) if order == "effect first" else makers:
        make()
        if order != "together":
            routing.route()
    routing.route()

    effect = Event.objects.get(event_type="message.reaction")
    assert effect.target_event == Event.objects.get(event_type="message.text")
    assert effect.conversation == chat


def test_effect_is_not_linked_to_a_message_of_another_instance(shop):
    unrouted(make_instance("desk"), provider_message_id="m1")
    effect = unrouted(shop, **EFFECT)

    routing.route()

    effect.refresh_from_db()
    assert effect.target_event is None


def test_echo_settles_an_unknown_send(shop):
    chat = make_conversation(shop)
    row = OutboxMessage.objects.create(
        instance=shop, conversation=chat, effect_key="e:1", kind="text", state="unknown",
        request={"text": "hello"}, request_hash="x", started_at=NOON)
    echo = unrouted(shop, direction="outbound", source="echo", text="hello", conversation=chat,
                    occurred_at=NOON + timedelta(seconds=5), provider_message_id="BAE5")

    routing.route()

    row.refresh_from_db()
    assert (row.state, row.resolution, row.event) == ("succeeded", "echo", echo)


def test_events_that_wait_for_a_send_do_not_stop_the_others(shop):
    chat = make_conversation(shop)
    make_sent(shop, state="sending", conversation=chat)
    held = [unrouted(shop, direction="outbound", conversation=chat) for _ in range(3)]
    free = unrouted(shop)

    assert (routing.route(2), routing.route(2)) == (1, 0)
    assert list(Event.objects.unrouted().order_by("id")) == held
    assert RoutingDecision.objects.get().event_id == free.pk


def test_echo_the_database_refuses_to_tell_does_not_stop_the_others(shop, monkeypatch):
    monkeypatch.setattr(echoes, "OF_EVENTS", "SELECT 1 / 0, %s")
    unrouted(shop, direction="outbound")
    unrouted(shop)

    assert routing.route() == 2


@pytest.mark.django_db(transaction=True)
def test_many_routers_decide_on_every_event_once():
    shop = make_instance()
    switch_on()
    for _ in range(120):
        unrouted(shop)
    counts = []

    def work():
        try:
            while Event.objects.unrouted().exists():
                counts.append(routing.route(10))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(counts) == 120
    assert RoutingDecision.objects.count() == Run.objects.count() == 120
    assert not Event.objects.unrouted().exists()


OVERFULL = """\
omni: 1
id: overfull
trigger: [{event: message.text, where: event.text == 'bad'}]
throttle: {limit: 3, per: 1h}
steps: [{stop: done}]
"""
GREETER = """\
omni: 1
id: greeter
trigger: [{event: message.text, where: event.text == 'good'}]
steps: [{stop: done}]
"""


@pytest.fixture
def no_throttled_runs(transactional_db):
    """The database refuses runs of throttled workflows."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE omni_runs ADD CONSTRAINT out_of_range "
                       "CHECK (throttle_key IS NULL)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE omni_runs DROP CONSTRAINT out_of_range")


def test_event_that_cannot_be_routed_stops_nobody_and_says_why(no_throttled_runs):
    switch_on(OVERFULL)
    switch_on(GREETER)
    bad = make_event(make_instance("one"), text="bad", routed_at=None)
    good = make_event(make_instance("two"), text="good", routed_at=None)

    assert routing.route() == 2

    assert Run.objects.get().event_id == good.pk
    said = RoutingDecision.objects.get(event=bad)
    assert said.reason.startswith("routing failed: ") and "out_of_range" in said.reason
    told = Event.objects.get(event_type="system.routing.failed")
    assert (told.caused_by_id, told.instance_id, told.text) == (
        bad.pk, bad.instance_id, said.reason)
    assert not Event.objects.filter(pk__in=[bad.pk, good.pk], routed_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_half_a_character_in_json_text_is_a_key_like_any_other():
    switch_on(GREETER.replace("where: event.text == 'good'", "where: true").replace(
        "steps:", "once: {key: parse_json(event.text).a}\nsteps:"))
    shop = make_instance()
    for _ in range(2):
        make_event(shop, text='{"a": "\\ud800x"}', routed_at=None)

    routing.route()

    assert Run.objects.count() == 1
    assert not RoutingDecision.objects.filter(reason__startswith="routing failed").exists()


def test_events_are_routed_in_the_order_they_came(shop):
    """However they lie in the table."""
    events = [make_event(shop, routed_at=None) for _ in range(3)]
    lay_backwards("omni_events")

    routing.route(1)

    assert RoutingDecision.objects.get().event_id == events[0].pk
