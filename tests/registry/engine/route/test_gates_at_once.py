"""Two workers at the gates at the same time: neither counts what the other is about to change."""

import pytest
from django.db import connection, transaction

from registry.engine.route import gate_facts, gates, matching, routing
from registry.engine.work import queue
from registry.models import RoutingDecision, Run
from tests.factories import make_conversation, make_event, make_instance, make_run, switch_on
from tests.registry.runs import advance, pass_and_store
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = """\
omni: 1
id: gated
trigger: [{event: message.text}]
%s
steps: [{set: {seen: true}}, {stop: done}]
"""


def rows_that_can_be_taken():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM omni_runs FOR UPDATE SKIP LOCKED")
        return cursor.fetchall()


def test_run_of_a_burst_cannot_be_taken_while_an_event_is_about_to_join_it():
    switch_on(TEXT % "debounce: {quiet: 1h}")
    shop = make_instance()
    place = make_conversation(shop)
    make_event(shop, conversation=place, routed_at=None)
    routing.route()
    event = make_event(shop, conversation=place)
    [effective] = matching.match(event, matching.table()).matches
    [passage] = gates.approach([(event, effective)])

    with transaction.atomic():
        facts = gate_facts.read([passage.wish])
        taken = Elsewhere(rows_that_can_be_taken).gives()

    assert [burst.run for burst in facts.bursts.values()] == [Run.objects.get().pk]
    assert taken == []


@pytest.mark.parametrize(("gate", "said"), [
    ("once: {key: event.sender_name}", "once"),
    ("throttle: {limit: 1, per: 1m, mode: drop, key: event.sender_name}", "throttled"),
    ("concurrency: {limit: 1, mode: skip, key: event.sender_name}", "busy"),
    ("debounce: {quiet: 1h, key: event.sender_name}", "joined")])
def test_key_is_counted_by_one_worker_at_a_time(gate, said):
    switch_on(TEXT % gate)
    shop = make_instance()
    first = make_event(shop, sender_name="ana")
    second = make_event(shop, sender_name="ana", routed_at=None)
    [effective] = matching.match(first, matching.table()).matches
    passages = gates.approach([(first, effective)])

    with transaction.atomic():  # the one worker has counted and not committed yet
        pass_and_store(passages)
        other = Elsewhere(routing.route)
        assert other.waits_for() == "advisory"
    other.gives()

    assert Run.objects.count() == 1
    assert RoutingDecision.objects.get(event=second).considered[0]["result"] == said


def test_event_that_wakes_a_run_waits_for_the_runs_place_in_line(start):
    """Else a run stored at the same moment would be seen later, with a lower ticket."""
    shop = make_instance()
    run = advance(start("- wait: {event: message.text}", event=make_event(shop), slot_key="a"))
    make_event(shop, routed_at=None)

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(routing.route)
        assert other.waits_for() == "advisory"
        Run.objects.select_for_update(nowait=True).get(pk=run.pk)  # else both wait for each other
        new = make_run(make_event(shop), slot_key="a")
    other.gives()

    run.refresh_from_db()
    assert run.state == "blocked" and new.ticket < run.ticket
