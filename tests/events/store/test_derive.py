"""Derived rows: each event by itself when a batch fails, and again what could not be done."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event, MessageState, Underived
from events.store import derive, state
from tests.factories import NOON, make_event, make_instance

pytestmark = pytest.mark.django_db
ODD = {"option_ids": 5}  # no list: no vote can be read from it


@pytest.fixture
def shop():
    return make_instance()


def message(shop, name="m1", **fields):
    return make_event(shop, provider_message_id=name, occurred_at=NOON, **fields)


def edit(shop, text, name="m1", second=1, **fields):
    return make_event(shop, event_type="message.edited", target_message_id=name, text=text,
                      relation="replaces", occurred_at=NOON + timedelta(seconds=second), **fields)


def vote(shop, content, name="m1", **fields):
    return make_event(shop, event_type="poll.vote", target_message_id=name, relation="votes_on",
                      content=content, provider_actor_ref="ana", occurred_at=NOON, **fields)


def due():
    Underived.objects.update(next_try=timezone.now())


def test_event_that_cannot_be_folded_keeps_its_reason_and_the_others_stand(shop):
    odd = vote(shop, ODD)
    derive.derive([message(shop), odd, edit(shop, "right"), message(shop, "m2")])

    assert state.of(shop.pk, "m1").text == "right" and state.of(shop.pk, "m2")
    mark = Underived.objects.get()
    assert (mark.event_id, mark.tries) == (odd.pk, 1) and "TypeError" in mark.error
    odd.refresh_from_db()
    assert odd.target_event.provider_message_id == "m1"


def test_what_comes_after_an_event_that_cannot_be_folded_is_seen(shop):
    derive.derive([message(shop), vote(shop, ODD)])
    derive.derive([vote(shop, {"option_ids": ["a"]})])

    assert state.of(shop.pk, "m1").tally == {"a": ["ana"]}
    assert Underived.objects.count() == 1


def test_batch_that_fails_is_done_one_event_at_a_time(shop, monkeypatch):
    bad, good = message(shop, "bad"), message(shop, "good")
    real = state.apply

    def apply(events):
        if bad in events:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return real(events)

    monkeypatch.setattr(state, "apply", apply)
    derive.derive([bad, good])

    assert MessageState.objects.get().provider_message_id == "good"
    assert "division by zero" in Underived.objects.get(event=bad).error


def test_batch_that_failed_once_leaves_no_mark(shop, monkeypatch):
    failing = [OperationalError("deadlock detected")]
    real = state.apply

    def apply(events):
        if failing:
            raise failing.pop()
        return real(events)

    monkeypatch.setattr(state, "apply", apply)
    derive.derive([message(shop), edit(shop, "right")])

    assert state.of(shop.pk, "m1").text == "right" and not Underived.objects.exists()


def test_what_could_not_be_derived_is_done_again_when_it_is_due(shop):
    odd = vote(shop, ODD)
    derive.derive([message(shop), odd])
    Event.objects.filter(pk=odd.pk).update(content={"option_ids": ["a"]})

    early = derive.redo()
    due()
    late = derive.redo()

    assert (early, late) == (0, 1)
    assert state.of(shop.pk, "m1").tally == {"a": ["ana"]} and not Underived.objects.exists()


def test_tries_that_fail_are_further_and_further_apart(shop):
    derive.derive([message(shop), vote(shop, ODD)])
    pauses = []
    for _ in range(3):
        due()
        derive.redo()
        pauses.append((Underived.objects.get().next_try - timezone.now()).total_seconds())

    assert Underived.objects.get().tries == 4
    assert [round(pause) for pause in pauses] == [2, 4, 8]


def test_event_that_fails_again_does_not_keep_the_next_ones_waiting(shop):
    derive.derive([vote(shop, ODD, f"m{number}") for number in range(derive.BATCH + 1)])
    last = Event.objects.latest("pk")
    Event.objects.filter(pk=last.pk).update(content={"option_ids": ["a"]})
    due()

    assert derive.redo() == 1
    assert not Underived.objects.filter(event=last).exists()


def test_statements_of_a_batch_do_not_grow_with_its_events(shop):
    counts = []
    for size in (1, 20):
        events = [make(shop, *more, f"{size}.{number}") for number in range(size)
                  for make, more in ((message, ()), (edit, ("right",)))]
        with CaptureQueriesContext(connection) as queries:
            derive.derive(events)
        counts.append(len(queries))

    assert counts == [7, 7]


def on_a_connection(work):
    """Run `work` in a thread; its backend's pid comes in the list."""
    pids = []

    def run():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.append(cursor.fetchone()[0])
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, pids


def until_blocked(thread, pids):
    """Wait until the thread waits for a lock, or has ended."""
    end = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [(pids or [0])[0]])
            if cursor.fetchone()[0]:
                return
        thread.join(0.01)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", ["apply", "rebuild"])
def test_of_two_folds_of_a_message_the_older_look_never_wins(monkeypatch, again):
    shop = make_instance()
    derive.derive([message(shop)])
    looked, go_on = threading.Event(), threading.Event()
    real = state._fold

    def slow(row, events):
        if threading.current_thread() is older and not looked.is_set():
            looked.set()
            go_on.wait(10)
        return real(row, events)

    monkeypatch.setattr(state, "_fold", slow)
    first = edit(shop, "first", second=1)
    older, _ = on_a_connection(lambda: state.apply([first]))
    looked.wait(10)
    second = edit(shop, "second", second=2)
    newer, pids = on_a_connection(
        (lambda: state.apply([second])) if again == "apply"
        else lambda: state.rebuild(shop.pk, ["m1"]))
    until_blocked(newer, pids)
    go_on.set()
    for thread in (older, newer):
        thread.join(10)

    assert (state.of(shop.pk, "m1").text, state.of(shop.pk, "m1").edit_count) == ("second", 2)


def route_these(ids):
    """What a router does with what follows from these events, at its end."""
    with transaction.atomic():
        events = list(Event.objects.filter(pk__in=ids).order_by("pk")
                      .select_for_update(no_key=True))
        Event.objects.filter(pk__in=ids).update(routed_at=timezone.now())
        derive.derive(events)


@pytest.mark.django_db(transaction=True)
def test_routers_that_hold_each_others_messages_never_wait_in_a_circle(monkeypatch, caplog):
    shop = make_instance()
    stored = [make.pk for make in (message(shop, "m1", routed_at=None),
                                   edit(shop, "right", "m2", routed_at=None),
                                   edit(shop, "right", "m1", routed_at=None),
                                   message(shop, "m2", routed_at=None))]
    together = threading.Barrier(2)
    real = derive.derive

    def both(events):
        together.wait(10)
        return real(events)

    monkeypatch.setattr(derive, "derive", both)
    threads = [on_a_connection(lambda ids=ids: route_these(ids))[0] for ids in (
        stored[:2], stored[2:])]
    for thread in threads:
        thread.join(20)

    edits = Event.objects.filter(event_type="message.edited").select_related("target_event")
    assert [e.target_event.provider_message_id for e in edits.order_by("id")] == ["m2", "m1"]
    assert set(MessageState.objects.values_list("text", flat=True)) == {"right"}
    assert not Underived.objects.exists() and caplog.records == []
