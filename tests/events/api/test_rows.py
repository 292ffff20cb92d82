"""Reading the event store over REST."""

import base64
import hashlib
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from events.models import Attachment, Conversation, Event, EventAction, RawPayload
from events.store import ingest
from events.store.partitions import ensure
from tests.api_client import client_of
from tests.factories import (
    make_conversation,
    make_draft,
    make_event,
    make_instance,
    make_sent,
    make_unit,
)

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/"


def ids(answer):
    assert answer.status_code == 200, answer.data
    return [row["id"] for row in answer.data["results"]]


def make_outcome(event, status="done", **fields):
    now = timezone.now()
    return EventAction.objects.create(**{
        "instance": event.instance, "event": event, "run_id": 1, "workflow": "reply",
        "path": f"steps[{EventAction.objects.count()}]", "step_kind": "uses", "status": status,
        "started_at": now, "ended_at": now, "duration_ms": 1.0, **fields})


def make_raw(instance, body=b"{}", **fields):
    now = timezone.now()
    ensure()
    return RawPayload.objects.create(**{
        "instance": instance, "provider": instance.provider, "received_at": now, "body": body,
        "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(),
        "last_seen_at": now, **fields})


def test_event_shows_every_column_by_its_name():
    event = make_event(make_instance("shop"))

    shown = client_of("read").get(f"{EVENTS}{event.pk}/").data

    columns = {field.name for field in Event._meta.concrete_fields}
    assert columns | {"attachments"} == set(shown)
    assert shown["instance"] == "shop"


def test_attachment_never_shows_what_opens_it():
    event = make_event(make_instance())
    Attachment.objects.create(event=event, kind="image", source_url="https://cdn.example/a",
                              encryption={"mediaKey": "canary-media-key"})

    answer = client_of("read").get(EVENTS)

    shown = answer.data["results"][0]["attachments"][0]
    assert shown["source_url"] == "https://cdn.example/a"
    assert "canary" not in answer.content.decode()


def test_big_integers_are_exact():
    event = make_event(make_instance(), provider_sequence=9007199254740993,
                       content={"n": 9007199254740993})

    text = client_of("read").get(f"{EVENTS}{event.pk}/").content.decode()

    assert text.count("9007199254740993") == 2


def test_pages_follow_each_other_without_gap_or_repetition():
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(7)]
    client = client_of("read")

    seen, url = [], f"{EVENTS}?limit=3"
    while url:
        answer = client.get(url)
        seen += ids(answer)
        url = answer.data["next"]

    assert seen == sorted(made, reverse=True)


def test_pages_after_an_id_go_forward_to_the_newest_row():
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(8)]
    client = client_of("read")

    pages, url = [], f"{EVENTS}?limit=3&after={made[0]}"
    while url:
        answer = client.get(url)
        pages.append(ids(answer))
        url = answer.data["next"]

    assert pages == [made[1:4], made[4:7], made[7:], []]


@pytest.mark.parametrize(("after", "older"), [(1, [1, 0]), (5, [5, 4])],
                         ids=["some rows", "no rows"])
def test_previous_of_a_page_after_an_id_goes_back_in_time(after, older):
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(6)]
    client = client_of("read")

    answer = client.get(f"{EVENTS}?limit=2&after={made[after]}")

    assert ids(answer) == made[after + 1:after + 3]
    assert ids(client.get(answer.data["previous"])) == [made[number] for number in older]


def test_previous_of_a_page_before_an_id_goes_forward_again():
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(6)]
    client = client_of("read")

    answer = client.get(f"{EVENTS}?limit=2&before={made[3]}")

    assert ids(answer) == [made[2], made[1]]
    assert ids(client.get(answer.data["previous"])) == [made[3], made[4]]


@pytest.mark.parametrize(("limit", "pages"), [
    (3, [[2, 3, 4], [5, 6]]), (5, [[2, 3, 4, 5, 6]]), (1, [[2], [3], [4], [5], [6]]),
    (50, [[2, 3, 4, 5, 6]])])
def test_rows_between_two_ids_come_oldest_first_and_end_before_the_second(limit, pages):
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(10)]
    client = client_of("read")

    found, url = [], f"{EVENTS}?limit={limit}&after={made[1]}&before={made[7]}"
    while url:
        answer = client.get(url)
        found.append([made.index(pk) for pk in ids(answer)])
        url = answer.data["next"]

    assert found == pages


@pytest.mark.parametrize(("after", "before"), [(3, 4), (4, 4), (5, 3), (9, 9)])
def test_nothing_stands_between_neighbours_or_ids_the_wrong_way_round(after, before):
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(10)]

    answer = client_of("read").get(f"{EVENTS}?after={made[after]}&before={made[before]}")

    assert ids(answer) == [] and answer.data["next"] is None
    assert ids(client_of("read").get(answer.data["previous"]))[0] == made[after]


def test_range_that_ends_in_what_is_still_to_come_is_followed_to_an_empty_page():
    shop = make_instance()
    made = [make_event(shop).pk for _ in range(3)]
    client = client_of("read")

    first = client.get(f"{EVENTS}?after={made[0]}&before={made[-1] + 1000}")
    late = make_event(shop).pk
    second = client.get(first.data["next"])
    last = client.get(second.data["next"])

    assert [ids(first), ids(second), ids(last)] == [made[1:], [late], []]
    assert last.data["next"] is None


@pytest.mark.parametrize(("address", "make"), [
    ("event-actions", lambda shop, n: make_outcome(make_event(shop))),
    ("outbox", lambda shop, n: make_sent(shop, provider_message_id=f"m{n}")),
    ("raw-payloads", lambda shop, n: make_raw(shop)),
    ("conversations", lambda shop, n: make_conversation(shop, f"c{n}"))])
def test_every_list_gives_the_rows_between_two_ids(address, make):
    shop = make_instance()
    made = [make(shop, n).pk for n in range(6)]
    client = client_of("read")

    first = client.get(f"/api/v1/{address}/?limit=2&after={made[0]}&before={made[4]}")
    second = client.get(first.data["next"])

    assert [ids(first), ids(second)] == [made[1:3], made[3:4]] and second.data["next"] is None


def test_filters_hold_between_two_ids():
    shop, other = make_instance(), make_instance("other")
    made = [make_event(account).pk for account in (shop, other) * 4]
    client = client_of("read")

    first = client.get(f"{EVENTS}?limit=2&instance=shop&after={made[0]}&before={made[-1]}")

    assert ids(first) == [made[2], made[4]]
    assert ids(client.get(first.data["next"])) == [made[6]]


@pytest.fixture
def aside():
    """Run something in a thread with a connection of its own; all have ended after the test."""
    threads = []

    def begin(work):
        def run():
            try:
                work()
            finally:
                connection.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1]

    yield begin
    for thread in threads:
        thread.join(30)


def follow(client, cursor):
    """Every row after the cursor, page by page."""
    seen, url = [], f"{EVENTS}?limit=7&after={cursor}"
    while url:
        answer = client.get(url)
        seen += ids(answer)
        url = answer.data["next"]
    return seen


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("drawn", ["with the row", "before the row"])
def test_poller_meets_every_event_once_also_those_that_are_committed_late(aside, drawn):
    shop = make_instance()
    client = client_of("read")
    first = ingest.persist([make_unit(shop, make_draft())])[0].event_ids[0]
    late, holding, let_go = [], threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            if drawn == "with the row":
                late.extend(ingest.persist([make_unit(shop, make_draft())])[0].event_ids)
            else:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT nextval('omni_events_id_seq')")
                    late.append(cursor.fetchone()[0])
            holding.set()
            let_go.wait(30)
            if drawn == "before the row":
                make_event(shop, pk=late[0])

    def write():
        for _ in range(25):
            ingest.persist([make_unit(shop, make_draft())])

    aside(hold)
    assert holding.wait(10)
    writers = [aside(write) for _ in range(3)]
    seen = follow(client, 0)
    while any(writer.is_alive() for writer in writers):
        seen += follow(client, seen[-1])
    before = list(seen)
    let_go.set()
    end = time.monotonic() + 20
    while len(seen) < 77 and time.monotonic() < end:
        seen += follow(client, seen[-1])

    assert before == [first]
    assert seen == list(Event.objects.order_by("id").values_list("pk", flat=True))
    assert late[0] in seen and len(seen) == 77


@pytest.mark.django_db(transaction=True)
def test_poller_is_not_held_up_by_those_who_write_all_the_time(aside):
    shop = make_instance()
    client = client_of("read")
    over = threading.Event()

    def write():
        while not over.is_set():
            ingest.persist([make_unit(shop, make_draft(), make_draft())])

    for _ in range(2):
        aside(write)
    seen, end = [], time.monotonic() + 20
    while len(seen) < 100 and time.monotonic() < end:
        seen += ids(client.get(f"{EVENTS}?after={seen[-1] if seen else 0}"))
    over.set()

    assert len(seen) >= 100
    assert seen == list(Event.objects.filter(pk__lte=seen[-1]).order_by("id").values_list(
        "pk", flat=True))


@pytest.mark.parametrize("rows", [1, 20])
def test_page_is_a_fixed_number_of_statements(rows, django_assert_num_queries):
    shop = make_instance()
    place = Conversation.objects.create(instance=shop, ref="a")
    for _ in range(rows):
        Attachment.objects.create(event=make_event(shop, conversation=place), kind="image")
    client = client_of("read")
    client.get(EVENTS)  # the first use of a key notes when it was used

    with django_assert_num_queries(3):  # key, events, attachments
        answer = client.get(EVENTS)

    assert len(ids(answer)) == rows


def _make_set():
    """Five events told apart by their `dedup_key`."""
    shop, desk = make_instance("shop"), make_instance("desk", provider="webchat")
    place = Conversation.objects.create(instance=shop, ref="5511@s")
    long_ago = timezone.now() - timedelta(days=9)
    make_event(shop, dedup_key="text", text="Refund for ORDER 100%", conversation=place,
               conversation_ref="5511@s", provider_actor_ref="ana")
    make_event(shop, dedup_key="image", event_type="message.image", text="order")
    make_event(shop, dedup_key="read", event_type="message.status.read", text=None)
    make_event(desk, dedup_key="out", direction="outbound", subject="A refund", text="b")
    make_event(desk, dedup_key="old", received_at=long_ago, event_type="presence.typing",
               text="'; OR 1=1--")
    make_outcome(Event.objects.get(dedup_key="text"), "stopped")
    return {"place": place.pk, "day": (timezone.now() - timedelta(days=1)).isoformat()}


@pytest.mark.parametrize(("query", "found"), [
    ({"instance": "desk"}, {"out", "old"}),
    ({"instance": "nowhere"}, set()),
    ({"provider": "webhook"}, {"text", "image", "read"}),
    ({"event_type": "message.text"}, {"text", "out"}),
    ({"event_type": "message.*"}, {"text", "image", "out"}),
    ({"event_type": "message.**"}, {"text", "image", "out", "read"}),
    ({"event_type": "message.status.*"}, {"read"}),
    ({"event_type": "message.status.*,presence.typing"}, {"read", "old"}),
    ({"event_type": "*"}, {"text", "image", "read", "out", "old"}),
    ({"conversation": "{place}"}, {"text"}),
    ({"conversation": "1" + "0" * 23}, set()),
    ({"conversation_ref": "5511@s"}, {"text"}),
    ({"contact": "77"}, set()),
    ({"actor": "ana"}, {"text"}),
    ({"direction": "outbound"}, {"out"}),
    ({"since": "{day}"}, {"text", "image", "read", "out"}),
    ({"until": "{day}"}, {"old"}),
    ({"q": "order"}, {"text", "image"}),
    ({"q": "order refund"}, {"text"}),
    ({"q": "refund"}, {"text", "out"}),
    ({"q": "100%"}, {"text"}),
    ({"q": "%"}, {"text"}),
    ({"q": "' OR 1=1--"}, {"old"}),
    ({"action_outcome": "stopped"}, {"text"}),
    ({"action_outcome": "none"}, {"image", "read", "out", "old"}),
    ({"instance": "shop", "q": "order", "event_type": "message.image"}, {"image"}),
])
def test_filter_finds(query, found):
    facts = _make_set()
    query = {name: value.format(**facts) if "{" in value else value
             for name, value in query.items()}

    answer = client_of("read").get(EVENTS, query)

    assert answer.status_code == 200, answer.data
    assert {row["dedup_key"] for row in answer.data["results"]} == found


def test_outcomes_of_an_event_come_in_order():
    event = make_event(make_instance())
    made = [make_outcome(event, status).pk for status in ("done", "failed", "done")]

    shown = client_of("read").get(f"{EVENTS}{event.pk}/actions/").data["results"]

    assert [row["id"] for row in shown] == made
    assert [row["status"] for row in shown] == ["done", "failed", "done"]


def test_raw_body_is_byte_exact():
    shop = make_instance()
    body = bytes(range(256))
    event = make_event(shop, raw_id=make_raw(shop, body).pk)

    shown = client_of("read").get(f"{EVENTS}{event.pk}/raw/").data

    assert base64.b64decode(shown["body_base64"]) == body
    assert shown["sha256"] == hashlib.sha256(body).hexdigest() and shown["instance"] == "shop"


@pytest.mark.parametrize("raw_id", [None, 999_999])
def test_event_without_kept_delivery_is_404_at_raw(raw_id):
    event = make_event(make_instance(), raw_id=raw_id)

    assert client_of("read").get(f"{EVENTS}{event.pk}/raw/").status_code == 404


def test_list_of_deliveries_shows_no_body_and_dead_letters_can_be_picked():
    shop = make_instance()
    make_raw(shop, b'{"fine": 1}', event_count=1)
    dead = make_raw(shop, b"\xff", quarantine_reason="bad_utf8")
    client = client_of("read")

    every = client.get("/api/v1/raw-payloads/")
    letters = client.get("/api/v1/raw-payloads/?dead_letters=true")

    assert len(ids(every)) == 2 and "body_base64" not in every.data["results"][0]
    assert ids(letters) == [dead.pk]
    assert letters.data["results"][0]["quarantine_reason"] == "bad_utf8"


def test_contacts_show_only_handles_of_visible_instances():
    from events.models import Contact, Handle

    shop, desk = make_instance("shop"), make_instance("desk")
    person = Contact.objects.create(name="Ana", labels=["vip"],
                                    known_by={"labels": {"vip": [shop.pk]}})
    for instance, value in ((shop, "+5511"), (desk, "ana@desk.example")):
        handle = Handle.objects.create(provider="webhook", kind="phone", value=value,
                                       contact=person)
        handle.instances.add(instance)

    mine = client_of("read", instances=[shop]).get("/api/v1/contacts/?label=vip")

    assert ids(mine) == [person.pk]
    assert [row["value"] for row in mine.data["results"][0]["handles"]] == ["+5511"]
