"""The visitor's socket: frames go through the front door, answers come by the feed."""

import asyncio
import base64
import json

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from connections.envelope import OutboundMessage
from connections.models import Instance
from connections.providers.webchat import visitors
from events.chat.socket import ChatSocket
from events.live import feed as feed_module
from events.live.subscriptions import Filter
from events.models import Event, RawPayload
from events.outbox import deliver
from events.store.notify import EVENTS, SIGNALS, notifier, send_now
from tests.factories import make_event, make_instance
from tests.sockets import Phone

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a long random text"


@pytest.fixture
async def desk():
    yield await sync_to_async(make_instance)(
        "desk", "webchat", credentials={"secret": SECRET}, settings={"greeting": "Ask away"})
    await feed_module.close()
    await sync_to_async(connections.close_all)()


@pytest.fixture
def token():
    return visitors.issue(slug="desk", secret=SECRET)


@pytest.fixture
async def dial(desk):
    dialed = []

    def socket(token, slug="desk", headers=()):
        dialed.append(Phone(f"/ws/chat/{slug}/",
                            [(b"x-omni-visitor", token.encode()), *headers]))
        return dialed[-1]

    yield socket
    for phone in dialed:
        await phone.hang_up()


def name_of(token):
    return token.partition(".")[0]


@sync_to_async
def events(**wanted):
    return list(Event.objects.filter(**wanted).order_by("id"))


async def test_hello_names_the_chat_and_its_greeting(dial, token):
    hello = await dial(token).opened()

    assert (hello["name"], hello["greeting"], hello["visitor"], hello["messages"]) == (
        "Desk", "Ask away", name_of(token), [])


async def test_cookie_of_our_own_page_opens_the_chat(desk, dial, token):
    phone = Phone("/ws/chat/desk/", [
        (b"host", b"localhost"), (b"origin", b"http://localhost"),
        (b"cookie", f"a=b; omni_chat_desk={token}".encode())])

    hello = await phone.opened()
    await phone.hang_up()

    assert hello["visitor"] == name_of(token)


@pytest.mark.parametrize("headers", [
    [(b"host", b"localhost"), (b"origin", b"http://evil.example")], [(b"host", b"localhost")]])
async def test_cookie_of_another_page_is_refused_at_the_handshake(desk, token, headers):
    phone = Phone("/ws/chat/desk/", [*headers, (b"cookie", f"omni_chat_desk={token}".encode())])

    assert not await phone.connect()


@pytest.mark.parametrize("wrong", ["nonsense", "v_AAAAAAAAAAAAAAAAAAAAAA.AAAA"])
async def test_wrong_token_is_closed_with_4401(dial, wrong):
    phone = dial(wrong)
    await phone.connect()

    assert await phone.closing_code() == 4401


async def test_unknown_chat_is_closed_with_4404(dial, token):
    phone = dial(token, slug="nowhere")
    await phone.connect()

    assert await phone.closing_code() == 4404


async def test_message_is_stored_with_its_exact_frame_and_acknowledged(dial, token):
    phone = dial(token)
    await phone.opened()

    await phone.say(type="message", id="1", text="is the shop open?", name="Ana")

    assert (await phone.heard("ack"))["id"] == "1"
    (event,) = await events()
    raw = await sync_to_async(RawPayload.objects.get)()
    assert (event.event_type, event.text, event.conversation_ref, event.sender_name) == (
        "message.text", "is the shop open?", name_of(token), "Ana")
    assert json.loads(bytes(raw.body))["visitor"] == name_of(token)
    assert raw.transport == "socket"


async def test_message_sent_twice_is_one_event(dial, token):
    phone = dial(token)
    await phone.opened()

    for _ in range(2):
        await phone.say(type="message", id="1", text="hello")

    statuses = [(await phone.heard("ack"))["status"] for _ in range(2)]
    assert statuses == [202, 200] and len(await events()) == 1


async def test_frame_cannot_speak_for_another_visitor(dial, token):
    other = visitors.issue(slug="desk", secret=SECRET)
    phone = dial(token)
    await phone.opened()

    await phone.say(type="message", id="1", text="hello", visitor=name_of(other))
    await phone.heard("ack")

    assert [event.conversation_ref for event in await events()] == [name_of(token)]


async def test_frame_that_cannot_be_stored_is_an_error_for_its_id(desk, dial, token):
    phone = dial(token)
    await phone.opened()
    await sync_to_async(Instance.objects.update)(credentials={"secret": "changed"})

    await phone.say(type="message", id="1", text="hello")

    error = await phone.heard("error")
    assert (error["id"], error["code"], error["status"]) == ("1", "not_taken", 401)


async def test_answer_reaches_the_visitor_it_is_for(desk, dial, token):
    phone, other = dial(token), dial(visitors.issue(slug="desk", secret=SECRET))
    await phone.opened()
    await other.opened()

    await sync_to_async(deliver.send)(
        OutboundMessage(kind="text", to=name_of(token), text="until six"),
        instance=desk, effect_key="run:1")

    message = (await phone.heard("message"))["message"]
    assert (message["text"], message["own"], message["kind"]) == ("until six", False, "text")
    await other.say(type="ping")
    assert (await other.heard("pong")) == {"type": "pong"}


async def test_signal_shows_that_somebody_types(desk, dial, token):
    phone = dial(token)
    await phone.opened()

    await sync_to_async(send_now)(SIGNALS, [json.dumps(
        {"instance_id": desk.pk, "to": name_of(token), "state": "typing"})])

    assert await phone.heard("typing") == {"type": "typing", "state": "typing"}


@pytest.mark.parametrize(("field", "value"), [
    ("direction", "internal"), ("delivery_status", "failed"), ("event_type", "presence.typing"),
    ("conversation_ref", "somebody else")])
async def test_what_is_not_for_the_visitor_is_not_shown(desk, dial, token, field, value):
    phone = dial(token)
    await phone.opened()
    fields = {"conversation_ref": name_of(token), "direction": "outbound", field: value}

    await sync_to_async(make_event)(desk, **fields)
    shown = await sync_to_async(make_event)(
        desk, conversation_ref=name_of(token), direction="outbound", text="shown")
    await sync_to_async(send_now)(EVENTS, [])

    assert (await phone.heard("message"))["message"]["event"] == shown.pk


async def test_reload_shows_the_conversation_again(dial, token):
    first = dial(token)
    await first.opened()
    for number in range(3):
        await first.say(type="message", id=str(number), text=f"line {number}")
        await first.heard("ack")
    await first.hang_up()

    hello = await dial(token).opened()

    assert [(message["text"], message["own"]) for message in hello["messages"]] == [
        ("line 0", True), ("line 1", True), ("line 2", True)]


async def test_earlier_messages_come_before_an_event(dial, token):
    phone = dial(token)
    await phone.opened()
    for number in range(3):
        await phone.say(type="message", id=str(number), text=f"line {number}")
        await phone.heard("ack")
    last = (await events())[-1]

    await phone.say(type="history", before=last.pk)

    earlier = await phone.heard("history")
    assert [message["text"] for message in earlier["messages"]] == ["line 0", "line 1"]


async def test_read_mark_of_the_visitor_is_a_status_event(desk, dial, token):
    sent = await sync_to_async(deliver.send)(
        OutboundMessage(kind="text", to=name_of(token), text="until six"),
        instance=desk, effect_key="run:1")
    phone = dial(token)
    await phone.opened()

    await phone.say(type="read", id="r1", target=sent.provider_message_id)
    await phone.heard("ack")

    (event,) = await events(event_type="message.status.read")
    assert event.target_message_id == sent.provider_message_id


async def test_frame_of_another_type_is_an_error(dial, token):
    phone = dial(token)
    await phone.opened()

    await phone.say(type="subscribe", instance="shop")

    assert (await phone.heard("error"))["code"] == "unknown_type"


async def test_frame_over_the_limit_is_not_stored(dial, token, monkeypatch):
    monkeypatch.setattr(ChatSocket, "frame_max", 2000)
    phone = dial(token)
    await phone.opened()

    await phone.say(type="message", id="1", files=[
        {"name": "a.png", "mime": "image/png", "base64": base64.b64encode(bytes(3000)).decode()}])

    assert (await phone.heard("error"))["code"] == "too_large" and await events() == []


@sync_to_async
def limit(desk, **visitor):
    desk.settings = {"limits": {"visitor": visitor}}
    desk.save()


async def test_visitor_who_sends_too_much_is_told_when_to_come_again(desk, dial, token):
    await limit(desk, messages_per_minute=2)
    phone, other = dial(token), dial(visitors.issue(slug="desk", secret=SECRET))
    await phone.opened()
    await other.opened()

    for number in range(3):
        await phone.say(type="message", id=str(number), text="hello")
    await other.say(type="message", id="1", text="hello")

    error = await phone.heard("error")
    assert (error["id"], error["code"], error["status"]) == ("2", "too_many", 429)
    assert 0 < error["retry_after"] <= 60 and "Try again in" in error["message"]
    assert (await other.heard("ack"))["status"] == 202
    assert len(await events()) == 3


async def test_typing_of_a_visitor_is_passed_on_and_never_stored(desk, dial, token):
    phone = dial(token)
    await phone.opened()
    watcher = feed_module.feed().subscribe(Filter(instance_ids=frozenset([desk.pk]), signals=True))

    await phone.say(type="typing", id="1", state="typing")

    assert (await phone.heard("ack"))["status"] == 202
    async with asyncio.timeout(10):
        while not (batch := await watcher.next()).signals:
            pass
    assert [(signal.to, signal.by, signal.state) for signal in batch.signals] == [
        (name_of(token), name_of(token), "typing")]
    assert await events() == [] and not await sync_to_async(RawPayload.objects.exists)()


async def test_typing_in_a_chat_that_is_off_is_passed_on_to_nobody(desk, dial, token):
    phone = dial(token)
    await phone.opened()
    watcher = feed_module.feed().subscribe(Filter(instance_ids=frozenset([desk.pk]), signals=True))
    await sync_to_async(Instance.objects.filter(pk=desk.pk).update)(enabled=False)

    await phone.say(type="typing", id="1", state="typing")
    assert (await phone.heard("ack"))["status"] == 202
    await sync_to_async(notifier.send)(SIGNALS, json.dumps(
        {"instance_id": desk.pk, "to": name_of(token), "state": "recording"}))

    async with asyncio.timeout(10):
        while not (batch := await watcher.next()).signals:
            pass
    assert [signal.state for signal in batch.signals] == ["recording"]


async def test_own_typing_is_not_shown_to_the_visitor(desk, dial, token):
    phone = dial(token)
    await phone.opened()

    await phone.say(type="typing", id="1")
    await phone.heard("ack")
    await sync_to_async(send_now)(SIGNALS, [json.dumps(
        {"instance_id": desk.pk, "to": name_of(token), "state": "recording"})])

    assert await phone.heard("typing") == {"type": "typing", "state": "recording"}
