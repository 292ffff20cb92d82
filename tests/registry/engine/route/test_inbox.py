"""What is to be routed: kept by the database, and read in turns of the accounts."""

import pytest
from django.db import transaction
from django.utils import timezone

from events.models import Event, InboxEntry
from registry.engine.route import inbox
from tests.factories import make_conversation, make_event, make_instance
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


def come(shop, count=1, **fields):
    return [make_event(shop, **{"routed_at": None, **fields}) for _ in range(count)]


def waiting():
    return list(InboxEntry.objects.order_by("event_id").values_list("instance_id", "event_id"))


def mark(*events, at):
    Event.objects.filter(pk__in=[event.pk for event in events]).update(routed_at=at)


def test_event_waits_from_its_insert_until_it_is_marked_and_again_without_the_mark(shop):
    one, other = come(shop, 2)
    make_event(shop)  # routed already
    stored = waiting()
    mark(one, at=timezone.now())
    marked = waiting()
    mark(one, at=timezone.now())

    mark(one, at=None)

    both = [(shop.pk, one.pk), (shop.pk, other.pk)]
    assert (stored, marked, waiting()) == (both, both[1:], both)


def test_events_that_are_stored_together_wait_all(shop):
    first, *_ = come(shop)
    rows = [Event(instance=shop, provider=shop.provider, event_type="message.text",
                  dedup_key=f"bulk:{number}", trace_id=first.trace_id, occurred_at=timezone.now(),
                  received_at=timezone.now()) for number in range(5)]
    Event.objects.bulk_create(rows)

    assert len(waiting()) == 6


def test_event_without_a_mark_that_changes_otherwise_waits_once(shop):
    [event] = come(shop)

    Event.objects.filter(pk=event.pk).update(text="else", routed_at=None)

    assert waiting() == [(shop.pk, event.pk)]


def test_flood_of_one_account_leaves_another_its_turn(shop):
    """Three hundred came before; a batch takes a hundred."""
    first, *_ = come(shop)
    now = timezone.now()
    Event.objects.bulk_create([Event(
        instance=shop, provider=shop.provider, event_type="message.text", dedup_key=f"f:{number}",
        trace_id=first.trace_id, occurred_at=now, received_at=now) for number in range(299)])
    [late] = come(make_instance("stranger"))

    taken = [event.pk for event in inbox.take().events]

    assert len(taken) == inbox.BATCH and late.pk in taken
    assert taken == sorted(taken) and taken[0] == first.pk


def test_accounts_take_turns_until_the_batch_is_full(shop):
    other, third = make_instance("other"), make_instance("third")
    mine, theirs, hers = come(shop, 5), come(other, 3), come(third, 1)

    taken = [event.pk for event in inbox.take(6).events]

    assert taken == [event.pk for event in [*mine[:3], *theirs[:2], *hers]]


def test_events_of_one_account_are_taken_in_order(shop):
    events = come(shop, 4)

    assert [event.pk for event in inbox.take(3).events] == [event.pk for event in events[:3]]
    assert inbox.waiting(2) == [event.pk for event in events[:2]]


def test_one_event_can_be_asked_for_and_one_that_is_routed_cannot(shop):
    _, second = come(shop, 2)
    routed = make_event(shop)

    assert [event.pk for event in inbox.take(1, only=second.pk).events] == [second.pk]
    assert inbox.take(1, only=routed.pk).events == [] and inbox.take(1, only=0).now is None


def test_event_is_read_with_its_place_and_person_as_they_are_now(shop):
    kept, old = (make_conversation(shop, ref) for ref in ("kept", "old"))
    come(shop, conversation=old, conversation_ref="old", content={"a": [1, None, "x"]})
    type(old).objects.filter(pk=old.pk).update(merged_into=kept)

    [event] = inbox.take().events

    assert (event.conversation, event.conversation.former_ids) == (kept, [old.pk])
    assert (event.instance, event.contact) == (shop, None)
    assert event.content == {"a": [1, None, "x"]}


@pytest.mark.django_db(transaction=True)
def test_event_that_somebody_else_holds_is_left_for_the_next_look():
    shop = make_instance()
    held, free = come(shop, 2)

    with transaction.atomic():
        Event.objects.select_for_update().get(pk=held.pk)

        def take():
            with transaction.atomic():
                return [event.pk for event in inbox.take().events]

        assert Elsewhere(take).gives() == [free.pk]
