"""Packed bodies at the front door: proven before they are opened, and counted as what they become.
"""

import asyncio
import gzip
import hmac
import json
import os
import threading
import time
from hashlib import sha256
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async

from connections import standard_webhooks
from connections.adapter import Answer
from events.door import body_budget, body_encoding, lane, large_bodies
from events.door.commit import writer
from events.door.large_bodies import LARGE_BYTES, Elsewhere
from events.door.receive import answered
from events.models import Event, RawPayload
from tests.events.door.test_lane import TOKEN, post
from tests.factories import make_instance, make_webhook

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
KINDS = ["hub_signature", "standard_webhooks"]
GZIP = (b"content-encoding", b"gzip")
SIGNED = "/webhooks/webhook/signed/"
OPENED = LARGE_BYTES + 1024 * 1024
BOMB = gzip.compress(os.urandom(200_000) + b"0" * (OPENED - 200_000))


def signed_by(kind, slug="signed"):
    return make_instance(slug, settings={"verification": kind},
                         credentials={"secret": SECRET})


def signature(kind, body, secret=SECRET):
    """The headers that prove `body`."""
    if kind == "hub_signature":
        digest = hmac.new(secret.encode(), body, sha256).hexdigest()
        return (b"x-hub-signature-256", b"sha256=" + digest.encode()),
    now = int(time.time())
    value = standard_webhooks.sign(body, message_id="m", timestamp=now, secret=secret)
    return ((b"webhook-id", b"m"), (b"webhook-timestamp", str(now).encode()),
            (b"webhook-signature", value.encode()))


WRONG = "whsec_AAAAMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture(autouse=True)
def group_commit(settings):
    """As in a web process. Its threads end with the test, and their connections with them."""
    settings.OMNI_GROUP_COMMIT = True
    yield
    writer.drain(10)
    writer.end()
    for line in (writer._small, writer._large):
        if line._thread is not None:
            line._thread.join(10)


@pytest.fixture
def carried(monkeypatch):
    """What the other process was asked to take."""
    bodies = []

    def take(delivery, admitted):
        bodies.append(delivery.body)
        return answered(Answer(202, {}))

    monkeypatch.setattr(large_bodies.elsewhere, "take", take)
    return bodies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
async def test_large_body_of_a_stranger_never_asks_the_other_process(
        transactional_db, carried, kind, packed):
    await sync_to_async(signed_by)(kind)
    body = BOMB if packed else b"0" * OPENED

    status, _, _ = await post(body, path=SIGNED, headers=(
        *signature(kind, b"another body", WRONG), *[GZIP] * packed))

    assert (status, carried) == (401, []) and body_budget.budget.held == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_body_that_is_proven_as_sent_is_opened_after_its_proof(
        transactional_db, monkeypatch, kind):
    await sync_to_async(signed_by)(kind)
    happened, verify, decoded = [], lane.proven_as_sent, body_encoding.decoded
    monkeypatch.setattr(lane, "proven_as_sent", lambda *args: (
        happened.append("proven"), verify(*args))[1])
    monkeypatch.setattr(body_encoding, "decoded", lambda *args, **more: (
        happened.append("opened"), decoded(*args, **more))[1])
    body = gzip.compress(b'{"a": 1}')

    status, _, _ = await post(body, path=SIGNED, headers=(*signature(kind, body), GZIP))

    raw = await sync_to_async(RawPayload.objects.get)()
    assert (status, bytes(raw.body), happened) == (202, b'{"a": 1}', ["proven", "opened"])


@pytest.mark.parametrize("kind", KINDS)
async def test_body_that_was_signed_before_it_was_packed_is_taken(transactional_db, kind):
    await sync_to_async(signed_by)(kind)

    status, _, _ = await post(gzip.compress(b'{"a": 1}'), path=SIGNED,
                              headers=(*signature(kind, b'{"a": 1}'), GZIP))

    assert status == 202 and await sync_to_async(Event.objects.count)() == 1


@pytest.mark.parametrize("proof", ["as sent", "opened"])
async def test_large_packed_body_with_a_signature_goes_to_the_other_process(
        transactional_db, carried, proof):
    await sync_to_async(signed_by)("hub_signature")
    signed = BOMB if proof == "as sent" else gzip.decompress(BOMB)

    status, _, _ = await post(BOMB, path=SIGNED, headers=(
        *signature("hub_signature", signed), GZIP))

    assert status == 202 and [len(body) for body in carried] == [OPENED]


@pytest.mark.parametrize("kind", ["header_token", *KINDS, "none"])
async def test_packed_body_that_becomes_more_than_may_be_in_flight_is_asked_to_try_later(
        transactional_db, settings, carried, kind):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = OPENED
    opened = {"verification": kind, "allow_unsigned": kind == "none"}
    await sync_to_async(make_instance)("signed", settings=opened, credentials={
        "secret": SECRET, "token": TOKEN[1].decode()})
    headers = signature(kind, BOMB, WRONG) if kind in KINDS else (TOKEN,)

    status, answer, _ = await post(BOMB, path=SIGNED, headers=(*headers, GZIP))

    assert (status, answer[b"retry-after"], carried) == (503, b"5", [])
    assert body_budget.budget.held == 0


@pytest.mark.parametrize("kind", [*KINDS, "none"])
async def test_small_deliveries_pass_while_strangers_send_large_ones(
        transactional_db, settings, monkeypatch, kind):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 4 * OPENED
    monkeypatch.setattr(large_bodies, "elsewhere", process := Elsewhere())
    monkeypatch.setattr(process, "_asked", lambda *_: time.sleep(0.05) or Answer(202, {}))
    shop = {"settings": {"verification": kind, "allow_unsigned": kind == "none"},
            "credentials": {"secret": SECRET}}
    await sync_to_async(make_webhook)()
    await sync_to_async(make_instance)("signed", **shop)
    headers = signature(kind, BOMB, WRONG) if kind in KINDS else ()
    held = []

    async def honest():
        answers = []
        for number in range(10):
            answers.append((await post(json.dumps({"n": number}).encode()))[0])
            held.append(body_budget.budget.held)
        return answers

    small, *strangers = await asyncio.gather(honest(), *(
        post(BOMB, path=SIGNED, headers=(*headers, GZIP)) for _ in range(10)))
    process.end()

    assert small == [202] * 10
    statuses = {status for status, _, _ in strangers}
    assert statuses <= ({202, 503} if kind == "none" else {401, 503})
    assert kind != "none" or 503 in statuses
    assert max(held) <= settings.OMNI_DOOR_BYTES_IN_FLIGHT and body_budget.budget.held == 0


@pytest.fixture
def held_open(monkeypatch):
    """The first body that is opened stays in its thread until `go_on`. `order`: whose were opened.
    """
    held, decoded = SimpleNamespace(go_on=threading.Event(), order=[]), body_encoding.decoded

    def slowly(delivery, **more):
        held.order.append("flood" if "flood" in delivery.url else "signed")
        assert held.go_on.wait(60)
        return decoded(delivery, **more)

    monkeypatch.setattr(body_encoding, "decoded", slowly)
    yield held
    held.go_on.set()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


FORGED = (GZIP, *signature("hub_signature", b"another body", WRONG))


async def test_forged_packed_bodies_at_one_account_do_not_hold_up_those_of_another(
        transactional_db, held_open):
    for slug in ("flood", "signed"):
        await sync_to_async(signed_by)("hub_signature", slug)
    flood = [asyncio.create_task(post(gzip.compress(b"%d" % number), headers=FORGED,
                                      path="/webhooks/webhook/flood/")) for number in range(20)]
    await until(lambda: held_open.order and lane._unproven.waiting == 19)
    honest = asyncio.create_task(post(gzip.compress(b'{"a": 1}'), path=SIGNED, headers=(
        *signature("hub_signature", b'{"a": 1}'), GZIP)))
    await until(lambda: lane._unproven.waiting == 20)

    held_open.go_on.set()

    assert (await honest)[0] == 202
    assert {(await task)[0] for task in flood} == {401}
    assert held_open.order.index("signed") <= 2 and len(held_open.order) == 21


async def test_forged_packed_bodies_of_one_account_are_asked_to_try_later_when_too_many_wait(
        transactional_db, monkeypatch, held_open):
    monkeypatch.setattr(lane._unproven, "_most", 3)
    for slug in ("flood", "signed"):
        await sync_to_async(signed_by)("hub_signature", slug)
    flood = [asyncio.create_task(post(gzip.compress(b"%d" % number), headers=FORGED,
                                      path="/webhooks/webhook/flood/")) for number in range(9)]
    await until(lambda: sum(task.done() for task in flood) == 5)

    honest = asyncio.create_task(post(gzip.compress(b'{"a": 1}'), path=SIGNED, headers=(
        *signature("hub_signature", b'{"a": 1}'), GZIP)))
    await until(lambda: lane._unproven.waiting == 4)
    held_open.go_on.set()

    assert (await honest)[0] == 202
    assert sorted([(await task)[0] for task in flood]) == [401] * 4 + [503] * 5
    assert body_budget.budget.held == 0


async def test_large_body_is_counted_as_long_as_it_waits_for_the_other_process(
        transactional_db, monkeypatch):
    monkeypatch.setattr(large_bodies, "elsewhere", process := Elsewhere())
    monkeypatch.setattr(large_bodies, "_started", lambda: large_bodies.subprocess.Popen(
        ["sleep", "60"], stdin=large_bodies.subprocess.PIPE,
        stdout=large_bodies.subprocess.PIPE))
    monkeypatch.setattr(lane, "COMMIT_SECONDS", 0.05)
    await sync_to_async(make_webhook)()

    answers = [await post(BOMB, headers=(TOKEN, GZIP)) for _ in range(2)]

    assert [status for status, _, _ in answers] == [503, 503]
    assert body_budget.budget.held == 2 * (OPENED + len(BOMB))
    await sync_to_async(process.end)()
    assert body_budget.budget.held == 0
