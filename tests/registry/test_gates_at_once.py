"""Two workers at the gates at the same time: neither counts what the other is about to change."""

import threading
import time

import pytest
from django.db import connection, transaction

from registry import gates, matching, queue, routing
from registry.models import RoutingDecision, Run
from tests.factories import make_conversation, make_event, make_instance, switch_on

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = """\
omni: 1
id: gated
trigger: [{event: message.text}]
%s
steps: [{stop: done}]
"""


def elsewhere(work):
    """Run on a connection of its own; the thread and what it gave."""
    given = []

    def run():
        try:
            given.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, given


def wait_for_a_waiter():
    """Until another connection waits for a lock of this one."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND "
                           "pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waited")


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
        facts = gates._facts([passage.wish])
        thread, taken = elsewhere(rows_that_can_be_taken)
        thread.join(20)

    assert [burst.run for burst in facts.bursts.values()] == [Run.objects.get().pk]
    assert taken == [[]]


def test_key_is_counted_by_one_worker_at_a_time():
    switch_on(TEXT % "once: {key: event.sender_name}")
    shop = make_instance()
    first = make_event(shop, sender_name="ana")
    second = make_event(shop, sender_name="ana", routed_at=None)
    [effective] = matching.match(first, matching.table()).matches
    passages = gates.approach([(first, effective)])

    with transaction.atomic():  # the one worker has counted and not committed yet
        queue.lock_slots(passages[0].keys)
        gates.pass_through(passages, now=queue.now())
        thread, _ = elsewhere(routing.route)
        wait_for_a_waiter()
    thread.join(20)

    assert Run.objects.count() == 1
    assert RoutingDecision.objects.get(event=second).considered[0]["result"] == "once"
