"""The socket of the live feed: who may open it, what it shows, how it ends."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from connections.access import ApiKey, InstanceGrant
from events.live import feed as feed_module
from events.live import feedrows
from events.live.consumers import EventsSocket
from events.live.sockets import Throttle, is_own_origin
from events.live.subscriptions import Batch
from events.store.notify import EVENTS, send_now
from tests.factories import make_event, make_instance, make_key
from tests.sockets import Phone

pytestmark = pytest.mark.django_db(transaction=True)
OWN = [(b"host", b"localhost"), (b"origin", b"http://localhost")]


@pytest.fixture
async def shop():
    yield await sync_to_async(make_instance)()
    await feed_module.close()
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def dial(shop):
    """Open a socket; all of them are hung up at the end."""
    dialed = []

    def socket(path="/ws/events/", headers=()):
        dialed.append(Phone(path, headers))
        return dialed[-1]

    yield socket
    for phone in dialed:
        await phone.hang_up()


def key_header(**fields):
    return sync_to_async(lambda: [(b"x-api-key", make_key(**fields).encode())])()


@sync_to_async
def sign_in(name="ana", **fields):
    """Headers of a browser that is signed in; a superuser unless said otherwise."""
    user = User.objects.create_user(name, **{"is_staff": True, "is_superuser": True, **fields})
    client = Client()
    client.force_login(user)
    return user, [*OWN, (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]


@sync_to_async
def add(instance, **fields):
    event = make_event(instance, **fields)
    send_now(EVENTS, [])
    return event


async def test_key_in_the_header_opens_the_feed(dial, shop):
    socket = dial(headers=await key_header(scopes=["read"]))
    await socket.opened()

    event = await add(shop)

    frame = await socket.heard("feed")
    assert [row["id"] for row in frame["events"]] == [event.pk]


async def test_bearer_key_opens_the_feed(dial):
    key = await sync_to_async(make_key)()
    headers = [(b"authorization", f"Bearer {key}".encode())]

    assert await dial(headers=headers).opened()


async def test_key_in_the_first_frame_opens_the_feed(dial):
    socket = dial()
    await socket.connect()

    await socket.say(type="auth", key=await sync_to_async(make_key)())

    assert await socket.heard("hello")


async def test_signed_in_person_opens_the_feed(dial):
    _, headers = await sign_in()

    assert await dial(headers=headers).opened()


@pytest.mark.parametrize("origin", [b"http://evil.example", b"http://localhost:9999",
                                    b"null", b"http://localhost.evil.example"])
async def test_foreign_origin_is_refused_at_the_handshake(dial, origin):
    _, headers = await sign_in()
    socket = dial(headers=[pair for pair in headers if pair[0] != b"origin"]
                  + [(b"origin", origin)])

    assert not await socket.connect()


async def test_session_without_an_origin_is_refused(dial):
    _, headers = await sign_in()
    socket = dial(headers=[pair for pair in headers if pair[0] != b"origin"])

    assert not await socket.connect()


async def test_nobody_in_particular_is_closed_after_the_time_to_prove(dial, monkeypatch):
    monkeypatch.setattr(EventsSocket, "auth_seconds", 0.05)
    socket = dial()
    await socket.connect()

    assert await socket.closing_code() == 4401


@pytest.mark.parametrize("key", ["", "omni_00000000_wrong", None, 5, {"a": 1}])
async def test_wrong_key_is_closed_with_4401(dial, key):
    socket = dial()
    await socket.connect()

    await socket.say(type="auth", key=key)

    assert await socket.closing_code() == 4401


async def test_key_without_the_right_to_read_is_closed_with_4403(dial):
    socket = dial(headers=await key_header(scopes=["send"]))
    await socket.connect()

    assert await socket.closing_code() == 4403


async def test_events_of_a_foreign_instance_are_not_shown(dial, shop):
    other = await sync_to_async(make_instance)("other")
    socket = dial(headers=await key_header(scopes=["read"], instances=[shop]))
    await socket.opened()

    await add(other)
    own = await add(shop)

    frame = await socket.heard("feed")
    assert [row["id"] for row in frame["events"]] == [own.pk]


async def test_foreign_instance_does_not_exist(dial, shop):
    await sync_to_async(make_instance)("other")
    socket = dial("/ws/events/?instance=other",
                  await key_header(scopes=["read"], instances=[shop]))
    await socket.connect()

    assert await socket.closing_code() == 4404


@pytest.mark.parametrize("query", ["event_type=%5E(a%2B)%2B", "event_type=message.%25",
                                   "direction=sideways", "conversation=x", "after=-1",
                                   "after=99999999999999999999"])
async def test_query_of_another_form_is_refused(dial, query):
    socket = dial(f"/ws/events/?{query}", await key_header())
    await socket.connect()

    assert await socket.closing_code() == 4404


async def test_resume_shows_what_was_missed_before_what_is_new(dial, shop):
    before = await add(shop)
    missed = [await add(shop) for _ in range(3)]

    socket = dial(f"/ws/events/?after={before.pk}", await key_header())
    await socket.opened()

    frame = await socket.heard("feed")
    assert [row["id"] for row in frame["events"]] == [event.pk for event in missed]


async def test_resume_over_more_than_a_page_ends_in_a_gap(dial, shop, monkeypatch):
    monkeypatch.setattr(feedrows, "PAGE", 2)
    monkeypatch.setattr(feedrows, "_STORED", feedrows._STORED.replace("LIMIT 500", "LIMIT 2"))
    before = await add(shop)
    missed = [await add(shop) for _ in range(3)]

    socket = dial(f"/ws/events/?after={before.pk}", await key_header())
    await socket.opened()

    assert (await socket.heard("gap"))["after"] == missed[1].pk


async def test_resume_keeps_to_the_filter(dial, shop):
    before = await add(shop)
    await add(shop, event_type="message.status.read")
    wanted = await add(shop, event_type="message.image")

    socket = dial(f"/ws/events/?after={before.pk}&event_type=message.image,poll.*",
                  await key_header())
    await socket.opened()

    frame = await socket.heard("feed")
    assert [row["id"] for row in frame["events"]] == [wanted.pk]


async def test_subscribe_changes_the_filter(dial, shop):
    socket = dial(headers=await key_header())
    await socket.opened()

    await socket.say(type="subscribe", direction="outbound")
    await socket.heard("subscribed")
    await add(shop)
    sent = await add(shop, direction="outbound")

    frame = await socket.heard("feed")
    assert [row["id"] for row in frame["events"]] == [sent.pk]


async def test_rows_queued_for_the_filter_before_are_not_shown_after_it_changed(dial, shop):
    socket = dial(headers=await key_header())
    await socket.opened()
    (subscription,) = feed_module.feed().audience
    old = subscription.wanted

    await socket.say(type="subscribe", direction="outbound")
    await socket.heard("subscribed")
    await add(shop)
    items = await sync_to_async(feedrows.stored_events)(old, after=0)
    subscription.offer(Batch(after=1, items=items, wanted=old))
    sent = await add(shop, direction="outbound")

    gap = await socket.heard("gap")  # what the old filter held back is to be read anew
    await add(shop, direction="outbound")
    frame = await socket.heard("feed")
    assert {row["direction"] for row in frame["events"]} == {"outbound"}
    assert gap["after"] < sent.pk


async def test_bad_filter_leaves_the_old_one(dial, shop):
    socket = dial(headers=await key_header())
    await socket.opened()

    await socket.say(type="subscribe", instance="nowhere")

    assert (await socket.heard("error"))["code"] == "unknown_instance"
    event = await add(shop)
    assert (await socket.heard("feed"))["events"][0]["id"] == event.pk


@pytest.mark.parametrize("events", [None, [], "5", [-1, "5", 2 ** 70]])
async def test_runs_are_asked_for_by_ids_of_events(dial, events):
    socket = dial(headers=await key_header())
    await socket.opened()

    await socket.say(type="runs", events=events)

    assert (await socket.heard("error"))["code"] == "bad_events"


@sync_to_async
def end_rights(user, how):
    if how == "switched off":
        User.objects.filter(pk=user.pk).update(is_active=False)
    elif how == "demoted":
        User.objects.filter(pk=user.pk).update(is_superuser=False)
    else:
        user.set_password("another long password")
        user.save()


@pytest.mark.parametrize("how", ["switched off", "demoted", "password changed"])
async def test_person_whose_rights_end_is_closed_with_4403(dial, monkeypatch, how):
    monkeypatch.setattr(EventsSocket, "recheck_seconds", 0.1)
    user, headers = await sign_in()
    socket = dial(headers=headers)
    await socket.opened()

    await end_rights(user, how)

    assert await socket.closing_code() == 4403


async def test_revoked_key_is_closed_with_4403(dial, monkeypatch):
    monkeypatch.setattr(EventsSocket, "recheck_seconds", 0.1)
    socket = dial(headers=await key_header())
    await socket.opened()

    await sync_to_async(ApiKey.objects.update)(revoked_at="2020-01-01T00:00:00Z")

    assert await socket.closing_code() == 4403


async def test_taken_away_instance_is_no_longer_shown(dial, shop, monkeypatch):
    monkeypatch.setattr(EventsSocket, "recheck_seconds", 0.1)
    other = await sync_to_async(make_instance)("other")
    user, headers = await sign_in(is_superuser=False)
    grants = [await sync_to_async(InstanceGrant.objects.create)(
        user=user, instance=place, scopes=["read"]) for place in (shop, other)]
    socket = dial(headers=headers)
    await socket.opened()

    await sync_to_async(grants[1].delete)()
    (subscription,) = feed_module.feed().audience
    async with asyncio.timeout(5):
        while subscription.wanted.instance_ids != frozenset([shop.pk]):
            await asyncio.sleep(0.02)
    await add(other)
    own = await add(shop)

    assert [row["id"] for row in (await socket.heard("feed"))["events"]] == [own.pk]


@pytest.mark.parametrize(("frame", "code"), [
    ({"text": "{"}, "bad_json"), ({"text": "[1]"}, "not_object"),
    ({"text": '"x"'}, "not_object"), ({"bytes": b"\x00"}, "not_text"),
    ({"text": '{"a":"' + "x" * 70_000 + '"}'}, "too_large"),
    ({"text": "[" * 500 + "]" * 500}, "too_deep"), ({"text": ""}, "empty")])
async def test_bad_frame_is_an_error_and_the_third_ends_the_socket(dial, frame, code):
    socket = dial(headers=await key_header())
    await socket.opened()

    for _ in range(3):
        await socket.say_raw(**frame)

    assert (await socket.heard("error"))["code"] == code
    assert await socket.closing_code() == 4400


async def test_flood_of_frames_is_closed_with_4429(dial):
    socket = dial(headers=await key_header())
    await socket.opened()

    for _ in range(60):
        await socket.say(type="ping")

    assert await socket.closing_code() == 4429


async def test_one_socket_too_many_is_closed_with_4429(dial, monkeypatch):
    monkeypatch.setattr(EventsSocket, "sockets_max", 2)
    headers = await key_header()
    for _ in range(2):
        await dial(headers=headers).opened()
    socket = dial(headers=headers)
    await socket.connect()

    assert await socket.closing_code() == 4429


async def test_feed_lets_the_database_go_with_its_last_socket(dial):
    socket = dial(headers=await key_header())
    await socket.opened()

    await socket.hang_up()

    assert feed_module.feed()._task is None


def test_bucket_refills_with_time():
    throttle = Throttle(per_second=2, burst=2)

    first = [throttle.allows(now=throttle._at) for _ in range(3)]

    assert first == [True, True, False] and throttle.allows(now=throttle._at + 0.6)


@pytest.mark.parametrize(("origin", "host", "own"), [
    ("http://localhost:8000", "localhost:8000", True), ("http://LOCALHOST", "localhost", True),
    ("http://localhost:8000", "localhost:9000", False), ("file://", "localhost", False),
    ("http://rebound.example", "rebound.example", False), ("null", "localhost", False),
    ("http://[", "localhost", False), ("http://localhost", "", False)])
def test_origin_is_own_when_we_serve_it_under_a_name_of_ours(origin, host, own):
    assert is_own_origin(origin, host=host) is own


@asynccontextmanager
async def locked(table):
    """A table in somebody else's hands: whoever reads it waits, as for a slow statement."""
    other = await psycopg.AsyncConnection.connect(**feed_module._parameters())
    async with other, other.transaction():
        await other.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def test_slow_statement_of_one_socket_holds_no_other(dial, shop):
    slow, other = dial(headers=await key_header()), dial(headers=await key_header(name="other"))
    await slow.opened()
    await other.opened()
    late = dial(headers=await key_header(name="late"))

    async with locked("omni_workflow_versions"):  # which is read for runs only
        await slow.say(type="runs", events=[1])
        await slow.say(type="ping")
        await other.say(type="subscribe", direction="outbound")

        assert await other.heard("subscribed") and await late.opened()
    assert await slow.heard("pong")


async def test_many_sockets_of_one_key_do_not_hold_those_of_another(dial, shop):
    headers = await key_header()
    crowd = [dial(headers=headers) for _ in range(20)]
    for socket in crowd:
        await socket.opened()
    late = dial(headers=await key_header(name="late"))

    async with locked("omni_workflow_versions"):
        for socket in crowd:
            await socket.say(type="runs", events=[1])

        assert await late.opened()


async def test_signed_in_person_opens_the_feed_while_another_socket_waits(dial, shop):
    slow = dial(headers=await key_header())
    await slow.opened()
    _, headers = await sign_in()

    async with locked("omni_workflow_versions"):
        await slow.say(type="runs", events=[1])

        assert await dial(headers=headers).opened()
