"""What says only what is new, of people and places that are known, is one statement."""

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from connections.envelope import Attachment
from events.models import Event, RawPayload
from events.people import contacts, conversations
from events.store import ingest
from tests.factories import make_draft, make_instance, make_unit
from tests.statements_sent import counted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(settings):
    """An account where the person of `make_draft` is known, and statements are prepared."""
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60.0
    shop = make_instance("shop")
    for number in range(3):
        store(make_unit(shop, make_draft(f"m:before {number}"), body=b"before %d" % number))
    return shop


def store(*units):
    return ingest.persist(list(units))


def new(shop, name, **fields):
    return make_unit(shop, make_draft(f"m:{name}", text=str(name), **fields),
                     body=str(name).encode())


@pytest.mark.parametrize("deliveries", [1, 50])
def test_batch_of_known_people_is_one_statement(shop, deliveries):
    units = [new(shop, number) for number in range(deliveries)]

    with counted() as sent:
        store(*units)

    assert (sent.statements, sent.trips) == (1, 1)
    assert Event.objects.filter(text__in=map(str, range(deliveries))).count() == deliveries


def test_first_message_of_somebody_is_stored_with_them_in_one_transaction(shop):
    with counted() as sent:
        store(new(shop, 1, conversation_ref="new", provider_actor_ref="new"))

    assert Event.objects.get(text="1").conversation.ref == "new"
    assert sent.statements > 1


def test_ids_are_the_order_of_delivery_and_item(shop):
    units = [make_unit(shop, make_draft("m:c", text="1"), make_draft("m:b", text="2"), body=b"x"),
             make_unit(shop, make_draft("m:a", text="3"), make_draft("m:B", text="4"), body=b"y")]

    with counted() as sent:
        stored = store(*units)

    events = Event.objects.filter(text__in="1234").order_by("id")
    assert sent.statements == 1
    assert [event.text for event in events] == list("1234")
    assert [one.event_ids for one in stored] == [
        [events[0].pk, events[1].pk], [events[2].pk, events[3].pk]]


def test_each_event_names_its_own_archive_row(shop):
    stored = store(*(new(shop, number) for number in range(20)))

    for one in stored:
        [event] = Event.objects.filter(pk__in=one.event_ids)
        raw = RawPayload.objects.get(pk=one.raw_id)
        assert event.raw_id == raw.pk and bytes(raw.body) == event.text.encode()
        assert (raw.event_count, raw.deliveries) == (1, 1)


def test_row_is_the_same_whichever_way_it_was_stored(shop, monkeypatch):
    sent = new(shop, "same", relation="replies_to", target_message_id="M1", client_ref="c",
               content={"a": [1]}, context={"b": 2}, provider_sequence=7)
    sent.raw.flags = ["dup_keys"]
    store(sent)
    one_way = _rows()
    Event.objects.filter(text="same").delete()
    RawPayload.objects.filter(flags=["dup_keys"]).delete()
    monkeypatch.setattr(ingest, "_is_plain", lambda *_: False)

    store(sent)

    assert _rows() == one_way


def _rows():
    passing = ("id", "created_at", "raw_id")
    event = Event.objects.filter(text="same").values().get()
    raw = RawPayload.objects.filter(flags=["dup_keys"]).values().get()
    return [{name: bytes(value) if isinstance(value, memoryview) else value
             for name, value in row.items() if name not in passing} for row in (event, raw)]


def test_attachments_are_stored_with_their_events(shop):
    files = [Attachment("image", filename="a.jpg"), Attachment("document", filename="b.pdf")]

    with counted() as sent:
        store(new(shop, 1), new(shop, 2, attachments=files), new(shop, 3))

    rows = Event.objects.get(text="2").attachments.all()
    assert sent.statements == 1
    assert [(row.position, row.filename, row.state) for row in rows] == [
        (0, "a.jpg", "pending"), (1, "b.pdf", "pending")]


def test_event_of_our_own_has_no_archive_row(shop):
    before = RawPayload.objects.count()

    [stored] = store(make_unit(shop, make_draft("m:own", text="own")))

    assert stored.raw_id is None and Event.objects.get(text="own").raw_id is None
    assert RawPayload.objects.count() == before


def test_known_key_among_new_ones_is_a_duplicate_and_the_others_are_stored(shop):
    known = Event.objects.get(dedup_key="m:before 0")

    stored = store(new(shop, 1), make_unit(shop, make_draft("m:before 0"), body=b"before 0"),
                   new(shop, 2), make_unit(shop, make_draft("m:before 0"), body=b"another"))

    assert stored[1].known_ids == [known.pk] and stored[1].duplicate
    assert [len(one.event_ids) for one in stored] == [1, 0, 1, 0]
    assert RawPayload.objects.get(pk=known.raw_id).deliveries == 2
    assert [RawPayload.objects.get(pk=one.raw_id).event_count for one in stored] == [1, 1, 1, 0]


def test_key_that_becomes_known_while_it_is_stored_is_a_duplicate(shop):
    results = []

    def meanwhile():
        try:
            results.extend(store(new(shop, "contested"), new(shop, "other")))
        finally:
            connection.close()

    with transaction.atomic():
        [first] = store(new(shop, "contested"))
        thread = threading.Thread(target=meanwhile)
        thread.start()
        _until_somebody_waits()
    thread.join(10)

    assert results[0].known_ids == first.event_ids and len(results[1].event_ids) == 1
    assert Event.objects.filter(text__in=["contested", "other"]).count() == 2


def _until_somebody_waits():
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute("SELECT pg_sleep(0.01), EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[1]:
                return
    raise TimeoutError("nobody waits")


def test_nothing_of_a_batch_is_stored_when_the_database_refuses_one(shop):
    before = (Event.objects.count(), RawPayload.objects.count())

    with pytest.raises(DatabaseError):
        store(new(shop, 1), new(shop, 2, provider_sequence="many"))

    assert (Event.objects.count(), RawPayload.objects.count()) == before


def test_merge_by_another_process_counts_for_what_is_in_memory(shop):
    event = Event.objects.get(dedup_key="m:before 0")
    store(new(shop, 0, conversation_ref="elder", provider_actor_ref="elder"))
    elder = Event.objects.get(text="0")
    event.conversation.merged_into_id = elder.conversation_id
    event.conversation.save()
    event.actor.contact_id = elder.contact_id
    event.actor.save()

    with counted() as sent:
        store(new(shop, 1))

    stored = Event.objects.get(text="1")
    assert sent.statements == 1
    assert (stored.conversation_id, stored.contact_id) == (elder.conversation_id, elder.contact_id)


def test_what_is_in_use_is_not_forgotten_for_what_is_not(shop, monkeypatch):
    for memory in (conversations._known, contacts._known):
        monkeypatch.setattr(memory, "most", 2)
    store(new(shop, "a", conversation_ref="2", provider_actor_ref="2"))
    store(new(shop, "b"))
    store(new(shop, "c", conversation_ref="3", provider_actor_ref="3"))

    with counted() as sent:
        store(new(shop, "d"))

    assert sent.statements == 1
