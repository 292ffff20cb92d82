"""The same door for hot POSTs, without Django's request cycle."""

import asyncio
import gzip
import json
import threading

import pytest
from asgiref.sync import sync_to_async

from events.door import body_budget, body_encoding, lane
from events.models import Event, Knock, RawPayload
from tests.factories import SECRET, make_instance, make_webhook

TOKEN = (b"x-webhook-token", SECRET.encode())


@pytest.mark.parametrize(("path", "found"), [
    ("/webhooks/webhook/shop", ("webhook", "shop", "")),
    ("/webhooks/webhook/shop/", ("webhook", "shop", "")),
    ("/webhooks/webhook/shop/a/b/", ("webhook", "shop", "a/b")),
    ("/webhook/evolution/shop", ("whatsapp_evolution", "shop", "")),
    ("/webhook/evolution/shop/messages-upsert", ("whatsapp_evolution", "shop", "messages-upsert")),
    ("/webhooks/webhook", None), ("/webhooks/webhook/", None), ("/webhook/evolution/", None),
    ("/admin/", None), ("/webhooksx/a/b", None), ("", None)])
def test_only_webhook_paths_are_taken(path, found):
    assert lane.address(path) == found


async def post(body=b"{}", *, path="/webhooks/webhook/shop/", headers=(TOKEN,), chunks=None,
               ending=None, query=b""):
    """(status, headers, parsed body) of one POST through the lane. ending: last ASGI message."""
    parts = chunks if chunks is not None else [body]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append(ending or {"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return messages.pop(0) if messages else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await lane.lane({"type": "http", "method": "POST", "path": path, "query_string": query,
                     "headers": list(headers)}, receive, send)
    start, content = sent
    return start["status"], dict(start["headers"]), json.loads(content["body"])


@pytest.fixture
def shop(transactional_db):
    return make_webhook()


stored = sync_to_async(lambda: (Event.objects.count(), RawPayload.objects.count()))


async def test_delivery_is_stored_before_it_is_acknowledged(shop):
    status, headers, body = await post(b'{"a": 1}', query=b"q=1")

    assert (status, body["status"]) == (202, "accepted")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert await stored() == (1, 1)
    raw = await sync_to_async(RawPayload.objects.get)()
    assert (bytes(raw.body), raw.query) == (b'{"a": 1}', "q=1")


@pytest.mark.parametrize("path", ["/webhooks/webhook/shop/", "/webhooks/webhook/nobody/"])
async def test_answer_ends_with_a_line_end(shop, path):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        sent.append(message)

    await lane.lane({"type": "http", "method": "POST", "path": path, "headers": [TOKEN]},
                    receive, send)

    start, content = sent
    assert content["body"].endswith(b"}\n")
    assert dict(start["headers"])[b"content-length"] == str(len(content["body"])).encode()


async def test_body_in_pieces_is_one_body(shop):
    status, _, _ = await post(chunks=[b'{"a"', b": ", b"1}"])

    raw = await sync_to_async(RawPayload.objects.get)()
    assert status == 202 and bytes(raw.body) == b'{"a": 1}'


async def test_large_body_is_taken_in_a_thread(shop):
    status, _, _ = await post(json.dumps({"text": "x" * 300_000}).encode())

    assert status == 202 and await stored() == (1, 1)


@pytest.mark.parametrize(("headers", "chunks"), [
    ((TOKEN, (b"content-length", b"1001")), [b"{}"]), ((TOKEN,), [b"x" * 600] * 3)],
    ids=["announced", "endless"])
async def test_body_over_the_cap_is_413_and_counted(shop, settings, headers, chunks):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000

    status, _, body = await post(headers=headers, chunks=chunks)

    assert (status, body["error"]["code"]) == (413, "too_large")
    assert (await sync_to_async(Knock.objects.get)()).reason == "too_large"


@pytest.mark.parametrize(("more", "status"), [(0, 202), (1, 413)])
async def test_body_may_have_as_many_bytes_as_the_cap_says_and_not_one_more(
        shop, settings, more, status):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000

    answer = await post(chunks=[b'{"text": "', b"x" * (988 + more), b'"}'])

    assert answer[0] == status


async def test_refused_body_is_let_go_before_its_sender_reads_the_answer(shop, settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000
    held = []

    async def receive():
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    async def send(_):
        held.append(body_budget.budget.held)

    await lane.lane({"type": "http", "method": "POST", "path": "/webhooks/webhook/shop/",
                     "headers": [TOKEN]}, receive, send)

    assert held == [0, 0]


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/webhooks/webhook/nobody/", (TOKEN,), 404), ("/webhooks/webhook/shop/", (), 401),
    ("/webhooks/webhook/shop/", (TOKEN, (b"content-length", b"99000000")), 413)],
    ids=["unknown", "no proof", "too large"])
async def test_body_of_who_is_refused_is_never_read(shop, path, headers, status):
    sent = []

    async def receive():
        raise AssertionError("the body was asked for")

    async def send(message):
        sent.append(message)

    length = [] if status == 413 else [(b"content-length", b"50000000")]
    await lane.lane({"type": "http", "method": "POST", "path": path,
                     "headers": [*headers, *length]}, receive, send)

    assert sent[0]["status"] == status


async def test_zipped_body_of_who_is_refused_is_never_opened(shop, monkeypatch):
    monkeypatch.setattr(body_encoding, "decoded", lambda *_, **__: 1 / 0)

    status, _, _ = await post(gzip.compress(bytes(60_000)),
                              headers=((b"content-encoding", b"gzip"),))

    assert status == 401


async def test_zipped_body_is_opened_off_the_event_loop(shop, monkeypatch):
    opened, real = [], body_encoding.decoded
    monkeypatch.setattr(body_encoding, "decoded", lambda *args, **more: (
        opened.append(threading.current_thread().name), real(*args, **more))[1])

    status, _, _ = await post(gzip.compress(b'{"a": 1}'),
                              headers=(TOKEN, (b"content-encoding", b"gzip")))

    assert status == 202 and opened[0].startswith("lane-openers")


@pytest.mark.parametrize("headers", [
    (TOKEN, (b"content-length", b"600000")), (TOKEN,)], ids=["announced", "in pieces"])
async def test_more_bodies_than_may_be_in_flight_are_asked_to_try_later(shop, settings, headers):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 600_000

    status, answer, _ = await post(headers=headers, chunks=[b"x" * 100_000] * 6)

    assert (status, answer[b"retry-after"]) == (503, b"5")
    assert body_budget.budget.held == 0


async def test_strangers_with_large_bodies_leave_room_for_proven_ones(shop, settings):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 4 * 1024 * 1024
    for slug in ("signed", "signed-too"):
        await sync_to_async(make_instance)(
            slug, settings={"verification": "hub_signature"}, credentials={"secret": "s" * 40})
    waiting, bodies = asyncio.Event(), []

    def stranger(slug):
        """Four fifths of a megabyte, and then nothing more."""
        parts = [b"x" * 200_000] * 4

        async def receive():
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": True}
            await waiting.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            bodies.append(message.get("status"))

        return asyncio.create_task(lane.lane(
            {"type": "http", "method": "POST", "path": f"/webhooks/webhook/{slug}/",
             "headers": [(b"x-hub-signature-256", b"sha256=" + b"a" * 64),
                         (b"content-length", b"1000000")]}, receive, send))

    tasks = [stranger(slug) for slug in ("signed", "signed-too") * 4]
    async with asyncio.timeout(10):
        while body_budget.budget.unproven < 1_600_000 or bodies.count(503) < 6:
            await asyncio.sleep(0.01)
    proven = [(await post(json.dumps({"a": "x" * 1_000_000}).encode()))[0] for _ in range(2)]
    waiting.set()
    await asyncio.gather(*tasks)

    assert proven == [202, 202] and bodies.count(503) == 6
    assert (body_budget.budget.held, body_budget.budget.unproven) == (0, 0)


async def test_answered_delivery_is_no_longer_in_flight(shop):
    await post(b'{"a": 1}')

    assert body_budget.budget.held == 0


async def test_sender_who_leaves_in_the_middle_stores_nothing(shop):
    status, _, _ = await post(b'{"a"', ending={"type": "http.disconnect"})

    assert status == 400 and await stored() == (0, 0)


async def test_body_that_does_not_arrive_in_time_is_408(shop, monkeypatch):
    monkeypatch.setattr(lane, "READ_SECONDS", 0.05)
    never = asyncio.Event()
    sent = []

    async def receive():
        await never.wait()

    async def send(message):
        sent.append(message)

    await lane.lane({"type": "http", "method": "POST", "path": "/webhooks/webhook/shop/",
                     "headers": [TOKEN]}, receive, send)

    assert sent[0]["status"] == 408


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/webhooks/webhook/nobody/", (TOKEN,), 404), ("/webhooks/nothing/shop/", (TOKEN,), 404),
    ("/webhooks/webhook/shop/", (), 401)])
async def test_refusals_are_those_of_the_other_door(shop, path, headers, status):
    assert (await post(path=path, headers=headers))[0] == status
    assert await stored() == (0, 0)


@pytest.mark.parametrize("length", [b"abc", b"-5", b"\xb2"])
async def test_odd_content_length_is_ignored(shop, length):
    status, _, _ = await post(b'{"a": 1}', headers=(TOKEN, (b"content-length", length)))

    assert status == 202


async def test_store_that_takes_too_long_asks_to_try_later(shop, monkeypatch):
    from concurrent.futures import Future

    monkeypatch.setattr(lane, "COMMIT_SECONDS", 0.05)
    monkeypatch.setattr(lane, "take_in", lambda *_: Future())

    status, headers, _ = await post()

    assert (status, headers[b"retry-after"]) == (503, b"5")
