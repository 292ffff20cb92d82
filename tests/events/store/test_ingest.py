"""The store: each event once, with its archive row, in one transaction."""

import hashlib
import threading
import time

import pytest
from django.db import DatabaseError, connection, transaction

from connections.envelope import Attachment, Handle
from events.models import Contact, Conversation, Event, RawPayload
from events.models import Handle as HandleRow
from events.store import ingest
from tests.factories import NOON, make_draft, make_instance, make_unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance("shop")


def store(*units):
    return ingest.persist(list(units))


def test_new_draft_becomes_one_event_and_one_archive_row(shop):
    [stored] = store(make_unit(shop, make_draft("m:1", text="hi"), body=b'{"a": 1}'))

    event, raw = Event.objects.get(), RawPayload.objects.get()
    assert stored.event_ids == [event.pk] and stored.known_ids == []
    assert (event.text, event.dedup_key, event.raw_id) == ("hi", "m:1", raw.pk)
    assert (bytes(raw.body), raw.event_count, raw.deliveries) == (b'{"a": 1}', 1, 1)
    assert event.routed_at is None and event.state == "stored"


def test_same_delivery_again_is_counted_on_the_first_archive_row(shop):
    store(make_unit(shop, make_draft("m:1"), body=b"{}"))

    [again] = store(make_unit(shop, make_draft("m:1"), body=b"{}"))

    raw = RawPayload.objects.get()
    assert again.event_ids == [] and again.known_ids == [Event.objects.get().pk]
    assert (again.raw_id, again.duplicate, raw.deliveries) == (raw.pk, True, 2)


def test_same_delivery_many_times_in_one_batch_is_one_event_and_one_archive_row(shop):
    stored = store(*(make_unit(shop, make_draft("m:1"), body=b"{}") for _ in range(5)))

    raw = RawPayload.objects.get()
    assert Event.objects.count() == 1 and raw.deliveries == 5
    assert [len(one.event_ids) for one in stored] == [1, 0, 0, 0, 0]
    assert {one.raw_id for one in stored} == {raw.pk}


def test_known_event_in_another_body_keeps_that_body_too(shop):
    store(make_unit(shop, make_draft("m:1"), body=b'{"try": 1}'))

    [again] = store(make_unit(shop, make_draft("m:1"), body=b'{"try": 2}'))

    assert Event.objects.count() == 1 and RawPayload.objects.count() == 2
    assert again.raw_id == RawPayload.objects.latest("id").pk and again.duplicate


def test_same_key_with_other_content_is_a_revision_that_names_the_first(shop):
    store(make_unit(shop, make_draft("m:1", text="one"), body=b"1"))

    store(make_unit(shop, make_draft("m:1", text="two"), body=b"2"))

    first, revision = Event.objects.order_by("id")
    assert revision.text == "two" and revision.dedup_key.startswith("m:1~")
    assert revision.context["revision_of"] == first.pk


def test_same_revision_twice_is_stored_once(shop):
    store(make_unit(shop, make_draft("m:1", text="one"), body=b"1"))
    store(make_unit(shop, make_draft("m:1", text="two"), body=b"2"))

    [again] = store(make_unit(shop, make_draft("m:1", text="two"), body=b"2"))

    assert Event.objects.count() == 2
    assert again.event_ids == [] and again.known_ids == [Event.objects.earliest("id").pk]


def test_two_contents_of_one_key_in_one_batch_are_event_and_revision(shop):
    store(make_unit(shop, make_draft("m:1", text="one"), body=b"1"),
          make_unit(shop, make_draft("m:1", text="two"), body=b"2"))

    assert list(Event.objects.order_by("id").values_list("text", flat=True)) == ["one", "two"]


def test_ids_are_the_order_of_delivery_and_item_whatever_the_keys_say(shop):
    stored = store(make_unit(shop, make_draft("m:c", text="1"), make_draft("m:b", text="2")),
                   make_unit(shop, make_draft("m:a", text="3"), make_draft("m:B", text="4")))

    assert list(Event.objects.order_by("id").values_list("text", flat=True)) == list("1234")
    assert [text for one in stored for text in Event.objects.filter(pk__in=one.event_ids)
            .order_by("id").values_list("text", flat=True)] == list("1234")
    assert all(one.event_ids == sorted(one.event_ids) for one in stored)


def test_ids_of_revisions_are_in_the_order_of_arrival_too(shop):
    store(make_unit(shop, make_draft("m:z", text="old"), make_draft("m:y", text="old")))

    store(make_unit(shop, make_draft("m:z", text="1")),
          make_unit(shop, make_draft("m:x", text="2"), make_draft("m:x", text="3")),
          make_unit(shop, make_draft("m:y", text="4"), make_draft("m:a", text="5")))

    texts = Event.objects.exclude(text="old").order_by("id").values_list("text", flat=True)
    assert list(texts) == list("12345")


def _blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return cursor.fetchone()[0]


def _meanwhile(work):
    """Run `work` on a connection of its own; the thread, once it waits for this connection."""
    pids, errors = [], []

    def run():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.append(cursor.fetchone()[0])
            work()
        except DatabaseError as exc:
            errors.append(exc)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 10
    while not (pids and _blocked(pids[0])) and time.monotonic() < end and thread.is_alive():
        thread.join(0.01)
    return thread, errors


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["new events", "echoes of known events"])
def test_batches_that_bring_the_same_events_in_another_order_never_wait_in_a_circle(known):
    shop = make_instance("shop")

    def draft(key):
        return make_draft(key, direction="outbound", from_me=True,
                          source="api" if known else "live")

    store(make_unit(shop, draft("m:0")))  # the place and the person are there
    if known:
        store(make_unit(shop, draft("m:a"), draft("m:b")))
    with transaction.atomic():
        store(make_unit(shop, draft("m:a")))
        other, errors = _meanwhile(lambda: store(make_unit(shop, draft("m:b"), draft("m:a"))))
        store(make_unit(shop, draft("m:b")))
    other.join(10)

    assert errors == [] and not other.is_alive()
    assert Event.objects.filter(dedup_key__in=["m:a", "m:b"]).count() == 2


@pytest.mark.django_db(transaction=True)
def test_batches_that_count_the_same_bodies_in_another_order_never_wait_in_a_circle():
    shop = make_instance("shop")
    for body in (b"a", b"b"):
        store(make_unit(shop, make_draft(f"m:{body}"), body=body))

    def again(*bodies):
        store(*(make_unit(shop, make_draft(f"m:{body}"), body=body) for body in bodies))

    with transaction.atomic():
        again(b"a")
        other, errors = _meanwhile(lambda: again(b"b", b"a"))
        again(b"b")
    other.join(10)

    assert errors == [] and not other.is_alive()
    assert set(RawPayload.objects.values_list("deliveries", flat=True)) == {3}


def test_same_key_at_two_instances_is_two_events(shop):
    store(make_unit(shop, make_draft("m:1")),
          make_unit(make_instance("desk"), make_draft("m:1")))

    assert Event.objects.filter(dedup_key="m:1").count() == 2


def test_echo_of_an_api_event_fills_its_nulls_and_adds_no_event(shop):
    sent = make_draft("m:1", text="answer", source="api", direction="outbound", client_ref="e:1",
                      provider_actor_ref="")
    store(make_unit(shop, sent))

    echo = make_draft("m:1", text="answer *bold*", source="echo", direction="outbound",
                      from_me=True, contact_handles=[Handle("phone", "+351922000002")])
    store(make_unit(shop, echo, body=b"echo"))

    event = Event.objects.get()
    assert (event.text, event.client_ref) == ("answer", "e:1")
    assert event.raw_id == RawPayload.objects.get().pk
    assert event.contact == Contact.objects.get(handles__value="+351922000002")


def test_api_event_after_its_echo_fills_the_echo(shop):
    cause = Event.objects.get(pk=store(make_unit(shop, make_draft("m:0")))[0].event_ids[0])
    store(make_unit(shop, make_draft("m:1", source="echo", direction="outbound"), body=b"echo"))

    [sent] = store(make_unit(
        shop, make_draft("m:1", source="api", direction="outbound", client_ref="e:1"),
        caused_by_id=cause.pk))

    event = Event.objects.get(dedup_key="m:1")
    assert sent.known_ids == [event.pk]
    assert (event.client_ref, event.caused_by_id, event.source) == ("e:1", cause.pk, "echo")


def test_two_copies_of_an_echo_in_one_batch_point_at_a_stored_archive_row(shop):
    store(make_unit(shop, make_draft("m:1", source="api", direction="outbound")))

    store(*(make_unit(shop, make_draft("m:1", source="echo", direction="outbound"), body=b"echo")
            for _ in range(3)))

    assert Event.objects.get().raw_id == RawPayload.objects.get().pk


def test_several_drafts_of_one_delivery_share_its_archive_row(shop):
    [stored] = store(make_unit(shop, *(make_draft(f"m:{n}") for n in range(3)), body=b"[]"))

    raw = RawPayload.objects.get()
    assert len(stored.event_ids) == 3 and raw.event_count == 3
    assert set(Event.objects.values_list("raw_id", flat=True)) == {raw.pk}


def test_delivery_of_no_drafts_is_kept_with_its_reason(shop):
    unit = make_unit(shop, body=b"?")
    unit.raw.quarantine("bad_json", "the body is not JSON")

    [stored] = store(unit)

    raw = RawPayload.objects.dead_letters().get()
    assert (raw.pk, raw.quarantine_reason, raw.event_count) == (stored.raw_id, "bad_json", 0)


def test_unit_that_is_not_to_be_routed_is_marked(shop):
    store(make_unit(shop, make_draft(), routed=True))

    event = Event.objects.get()
    assert event.state == "not_routed" and event.routed_at is not None


def test_long_key_is_kept_by_its_digest(shop):
    key = "m:" + "k" * 5000

    store(make_unit(shop, make_draft(key)))
    [again] = store(make_unit(shop, make_draft(key)))

    assert Event.objects.get().dedup_key == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    assert again.known_ids


@pytest.mark.parametrize("field", [
    "provider_message_id", "target_message_id", "conversation_ref", "thread_ref",
    "provider_actor_ref", "contact_ref"])
def test_reference_too_long_for_an_index_is_kept_by_start_and_digest(shop, field):
    long = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))

    store(make_unit(shop, make_draft("m:1", **{field: long})))
    store(make_unit(shop, make_draft("m:2", **{field: long})))
    store(make_unit(shop, make_draft("m:3", **{field: long + "x"})))

    assert Event.objects.count() == 3
    if field != "contact_ref":
        kept = dict(Event.objects.values_list("dedup_key", field))
        assert kept["m:1"] == kept["m:2"] != kept["m:3"]
        assert kept["m:1"].startswith(long[:100])


def test_long_aliases_and_handles_are_stored(shop):
    long = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))

    store(make_unit(shop, make_draft("m:1", conversation_aliases=[long],
                                     actor_handles=[Handle("id", long)])))
    store(make_unit(shop, make_draft("m:2", conversation_ref=long)))

    assert Conversation.objects.count() == 1
    assert HandleRow.objects.filter(value__startswith=long[:100]).exists()


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"])
@pytest.mark.parametrize("field", [
    "text", "sender_name", "conversation_ref", "conversation_title", "provider_message_id",
    "provider_actor_ref", "contact_name", "subject", "dedup_key"])
def test_characters_no_column_can_hold_are_replaced(shop, field, odd):
    more = {"event_type": "conversation.updated"} if field == "conversation_title" else {}

    store(make_unit(shop, make_draft(**{"dedup_key": "m:1", field: odd, **more})))

    event = Event.objects.get()
    if field not in ("contact_name", "conversation_title"):
        assert getattr(event, field) == "a\ufffdb"


def test_unstorable_characters_inside_content_are_replaced(shop):
    store(make_unit(shop, make_draft(content={"k\x00": ["\ud800", {"x": "\x00"}]})))

    assert Event.objects.get().content == {"k\ufffd": ["\ufffd", {"x": "\ufffd"}]}


def test_attachments_are_stored_in_the_order_of_the_message(shop):
    files = [Attachment("image", filename="a.jpg", size_bytes=10),
             Attachment("document", filename="b.pdf", size_bytes=-1)]

    store(make_unit(shop, make_draft(media_kind="image", attachments=files)))

    rows = Event.objects.get().attachments.all()
    assert [(row.position, row.filename, row.size_bytes) for row in rows] == [
        (0, "a.jpg", 10), (1, "b.pdf", None)]


def test_nothing_is_stored_when_the_store_refuses(shop):
    bad = make_unit(shop, make_draft(provider_sequence="many"), body=b"x")

    with pytest.raises(DatabaseError):
        store(make_unit(shop, make_draft(), body=b"y"), bad)

    assert not Event.objects.exists() and not RawPayload.objects.exists()


def test_archive_keeps_the_digest_of_what_arrived(shop):
    body = b'{"text": "caf\xc3\xa9"}'

    store(make_unit(shop, make_draft(), body=body))

    raw = RawPayload.objects.get()
    assert (bytes(raw.body), raw.sha256) == (body, hashlib.sha256(body).hexdigest())
    assert raw.received_at == NOON


@pytest.mark.django_db(transaction=True)
def test_what_a_rolled_back_batch_made_is_not_remembered():
    shop = make_instance("shop")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        store(make_unit(shop, make_draft("m:1")))
        raise ZeroDivisionError

    store(make_unit(shop, make_draft("m:1")))

    event = Event.objects.get()
    assert event.conversation == Conversation.objects.get()
    assert (event.contact, event.actor) == (Contact.objects.get(), HandleRow.objects.get())


def test_receipt_stands_with_no_message_of_another_account(shop):
    desk = make_instance("desk")
    store(make_unit(desk, make_draft("m:1", provider_message_id="M1", conversation_ref="a")))

    store(make_unit(shop, make_draft(
        "s:1", event_type="message.status.read", relation="status_of", target_message_id="M1",
        conversation_ref="b")))

    assert Event.objects.get(instance=shop).conversation.instance == shop


def test_phone_only_another_account_knows_is_not_told(shop):
    desk, mail = make_instance("desk"), Handle("email", "ana@example.org")
    store(make_unit(desk, make_draft(
        "m:1", actor_handles=[mail, Handle("phone", "+351922000002")])))

    store(make_unit(shop, make_draft("m:2", actor_handles=[mail])))

    event = Event.objects.get(instance=shop)
    assert event.contact == Event.objects.get(instance=desk).contact
    assert event.contact_handle != "+351922000002"
