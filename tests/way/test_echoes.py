"""Our own messages, whose echo the provider posts before it answers the call; real HTTP both ways.

The peer posts the echo to the front door, waits, and then answers the send.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Response

from actions.models import Agent
from connections.envelope import OutboundMessage
from events.models import Conversation, Event, OutboxMessage
from events.outbox import deliver
from events.store import notify
from registry.engine.work import chores, drain
from registry.engine.work.drain import Drain
from registry.models import RoutingDecision, Run
from registry.versions import seed
from tests.factories import (
    ANA,
    evolution_text,
    make_event,
    make_evolution,
    make_webhook,
    post_delivery,
    proof,
    switch_on,
)

pytestmark = pytest.mark.django_db(transaction=True)
OWN = "351911000001@s.whatsapp.net"
HIDDEN = "200000000000002@lid"  # ANA's, or so we may learn
BO, BO_HIDDEN = "351922000003@s.whatsapp.net", "200000000000003@lid"
BRAZIL, BRAZIL_SHORT = "5511944443333@s.whatsapp.net", "551144443333@s.whatsapp.net"
SECONDS = 30
TAKEOVER = """\
omni: 1
id: takeover
trigger:
  - event: message.*
    where: event.direction == 'outbound' and not event.sent_by_omni
steps:
  - set: {seen: true}
"""
ANSWER = """\
omni: 1
id: answer
trigger:
  - event: message.text
    where: event.direction == 'inbound'
steps:
  - uses: route.reply
    with: {text: "pong ${{ event.text }}"}
"""
ALERTS = """\
omni: 1
id: alerts
trigger:
  - event: webhook.received
    where: event.content.payload.alert != null
steps:
  - uses: route.send
    with:
      instance: shop
      to: "120363000000000077@g.us"
      text: "ALERT ${{ event.content.payload.alert }}"
"""


def until(condition, seconds=SECONDS):
    """Wait for a condition; False when time ran out."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if condition():
            return True
        pause.wait(0.05)
    return False


@dataclass
class Phone:
    """A WhatsApp account at its server. delays: seconds between echo and answer, send by send;
    None never answers in time. echoes: whether a send is posted back. echo_chat: the address its
    echo comes under, where that is another. named: the address the answer names. status: the
    answer's. heard: what the network makes of the words.
    """

    door: str
    url: str = ""
    delays: list[float | None] = field(default_factory=list)
    echoes: bool = True
    echo_chat: str = ""
    named: str = ""
    status: int = 201
    heard: Callable[[str], str] = str
    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    gone: threading.Event = field(default_factory=threading.Event)

    def post(self, body: dict[str, Any]) -> None:
        answer = httpx2.post(self.door, content=json.dumps(body), timeout=20, headers={
            "content-type": "application/json", **proof("whatsapp_evolution")})
        assert answer.status_code in (200, 202), answer.text

    def says(self, message_id: str, text: str, *, chat: str = ANA, own: bool = False) -> None:
        """Somebody writes: a person at the other end, or the owner by hand."""
        self.post(evolution_text(message_id, text, chat=chat, key={"fromMe": own}))

    def sends(self, request: Any) -> Response:
        """What /message/sendText does."""
        asked = request.get_json()
        with self.lock:
            self.number += 1
            message_id = f"OUT{self.number}"
            delay = self.delays[(self.number - 1) % len(self.delays)] if self.delays else 0.0
        if self.echoes:
            self.post({**evolution_text(
                message_id, self.heard(asked["text"]), chat=self.echo_chat or asked["number"],
                key={"fromMe": True}), "event": "send.message"})
        self.gone.wait(10 if delay is None else delay)
        answer = {"key": {"id": message_id, "remoteJid": self.named or asked["number"],
                          "fromMe": True}}
        if self.status >= 400:
            answer = {"status": self.status, "error": "Error", "response": {"message": ["no"]}}
        return Response(json.dumps(answer), self.status, content_type="application/json")


@pytest.fixture
def phone(live_server):
    made = Phone(f"{live_server.url}/webhooks/whatsapp_evolution/shop/")
    with HTTPServer(threaded=True) as server:
        server.expect_request("/message/sendText/shop").respond_with_handler(made.sends)
        server.expect_request("/chat/sendPresence/shop").respond_with_json({}, status=201)
        made.url = server.url_for("").rstrip("/")
        yield made
        made.gone.set()


@pytest.fixture
def shop(phone):
    return make_evolution(base_url=phone.url)


@pytest.fixture
def worker():
    """A worker at work in a thread, until the test ends."""
    def run():
        try:
            Drain(threads=4).run()
        finally:
            connection.close()

    drain.STOP.value = 0
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    drain.STOP.value = 1
    notify.send_now(notify.WORK, [])
    thread.join(SECONDS)
    drain.STOP.value = 0
    assert not thread.is_alive()


def settled():
    return (not Event.objects.unrouted().exists() and not Run.objects.live().exists()
            and not OutboxMessage.objects.filter(state="sending").exists())


def taken_over():
    return Run.objects.filter(workflow__slug="takeover").count()


def give_up_after(shop, seconds):
    shop.settings = {**shop.settings, "timeout_seconds": seconds}
    shop.save()


def test_echo_before_the_answer_is_never_taken_for_a_person(shop, phone, worker):
    switch_on(TAKEOVER)
    switch_on(ANSWER)
    phone.delays = [0.0, 0.01, 0.03, 0.1, 1.0]

    for number in range(20):
        phone.says(f"IN{number}", f"ping {number}", chat=f"35192200{number % 10:04}@s.whatsapp.net")
    assert until(lambda: OutboxMessage.objects.filter(state="succeeded").count() == 20)
    assert until(settled)

    echoes = list(Event.objects.filter(direction="outbound"))
    causes = {event.text: event for event in Event.objects.filter(direction="inbound")}
    assert len(echoes) == 20 and taken_over() == 0
    for echo in echoes:
        cause = causes[echo.text.removeprefix("pong ")]
        assert echo.sent_by_omni and echo.auto_generated and echo.caused_by == cause
        assert (echo.hop, echo.trace_id) == (1, cause.trace_id)


def test_person_who_writes_by_hand_takes_over_once(shop, phone, worker):
    switch_on(TAKEOVER)
    switch_on(ANSWER)
    phone.delays = [0.1]

    phone.says("IN1", "ping")
    phone.says("HAND1", "I will do this myself", own=True)
    assert until(lambda: OutboxMessage.objects.filter(state="succeeded").exists())
    assert until(settled)

    run = Run.objects.get(workflow__slug="takeover")
    assert run.event.text == "I will do this myself" and not run.event.sent_by_omni


def test_person_who_writes_elsewhere_does_not_wait_for_a_send(shop, phone, worker):
    switch_on(TAKEOVER)
    switch_on(ANSWER)
    phone.delays = [5.0]
    phone.says("IN1", "ping")
    assert until(lambda: OutboxMessage.objects.filter(state="sending").exists())

    phone.says("HAND1", "by hand", chat="351922000009@s.whatsapp.net", own=True)

    assert until(lambda: taken_over() == 1, seconds=4)
    assert OutboxMessage.objects.get().state == "sending"
    phone.gone.set()


def test_note_to_oneself_is_answered_once(shop, phone, worker):
    Agent.objects.create(slug="default", name="Built-in assistant", kind="builtin")
    for name in ("ignore-self", "text-reply", "whatsapp-default-reply", "self-chat-assistant"):
        switch_on((seed.PLAYBOOKS / f"{name}.yaml").read_text())
    shop.settings = {**shop.settings, "owner_jid": OWN}
    shop.save()
    phone.delays = [0.03]

    phone.says("NOTE1", "buy milk", chat=OWN, own=True)
    assert until(lambda: OutboxMessage.objects.filter(state="succeeded").exists())
    assert until(settled)

    assert OutboxMessage.objects.count() == 1 and phone.number == 1


def test_send_that_timed_out_after_its_echo_has_succeeded(shop, phone, worker):
    switch_on(TAKEOVER)
    switch_on(ANSWER)
    give_up_after(shop, 1)
    phone.delays = [None]

    phone.says("IN1", "ping")
    assert until(lambda: Run.objects.ended().exists() and settled())

    row, echo = OutboxMessage.objects.get(), Event.objects.get(direction="outbound")
    assert (row.state, row.resolution, row.event, row.provider_message_id) == (
        "succeeded", "echo", echo, "OUT1")
    assert Run.objects.get().state == "done"
    assert (echo.client_ref, echo.hop, echo.auto_generated) == (row.effect_key, 1, True)


def test_echo_under_a_name_not_met_yet_waits_for_the_answer(shop, phone, worker):
    """Places: a hidden address that no answer names stays a place of its own."""
    switch_on(TAKEOVER)
    rows, found = {"hidden, never named": (ANA, HIDDEN, "", 2),
                   "hidden": (BO, BO_HIDDEN, BO_HIDDEN, 1),
                   "other spelling": (BRAZIL, BRAZIL_SHORT, BRAZIL_SHORT, 1)}, {}
    for row, (to, phone.echo_chat, phone.named, _) in rows.items():
        phone.delays, before = [0.3], Conversation.objects.kept().count()
        for number in range(3):
            send(shop, f"{row}:{number}", f"hello {number}", to)
        assert until(settled), row
        mine = OutboxMessage.objects.filter(effect_key__startswith=f"{row}:")
        found[row] = (Conversation.objects.kept().count() - before, taken_over(), mine.filter(
            state="succeeded", event__client_ref__isnull=False,
            provider_message_id__isnull=False).count())

    assert found == {row: (places, 0, 3) for row, (*_, places) in rows.items()}
    assert Event.objects.filter(direction="outbound").count() == 3 * len(rows)


def test_send_that_timed_out_is_settled_by_an_echo_under_a_name_not_met_yet(shop, phone, worker):
    switch_on(TAKEOVER)
    give_up_after(shop, 1)
    phone.delays, found = [None], []

    for to, phone.echo_chat in [(ANA, HIDDEN), (BRAZIL, BRAZIL_SHORT)]:
        told = send(shop, f"e:{to}", to=to)
        assert until(settled), to
        found.append((to, told.state, told.provider_message_id, taken_over()))

    assert found == [(ANA, "succeeded", "OUT1", 0), (BRAZIL, "succeeded", "OUT2", 0)]


def test_echo_at_the_address_itself_wins_over_the_same_words_under_a_name_not_met(
        shop, phone, worker):
    switch_on(TAKEOVER)
    give_up_after(shop, 1)
    phone.delays, phone.echoes = [None], False
    told = send(shop, "e:1", to=ANA)
    assert told.state == "unknown"

    phone.says("HAND1", "hello", chat=HIDDEN, own=True)
    assert until(settled)
    assert OutboxMessage.objects.get().provider_message_id == "HAND1"
    phone.says("OUT1", "hello", own=True)
    assert until(settled)

    row, by_hand, echo = OutboxMessage.objects.get(), *Event.objects.filter(
        direction="outbound").order_by("id")
    assert (row.state, row.event, row.provider_message_id) == ("succeeded", echo, "OUT1")
    assert (by_hand.client_ref, echo.client_ref, taken_over()) == (None, row.effect_key, 0)

    phone.says("HAND2", "hello", own=True)
    assert until(settled)
    assert (taken_over(), OutboxMessage.objects.get().event) == (1, echo)


def test_person_who_writes_the_same_words_elsewhere_is_a_person(shop, phone, worker):
    """Another number, and a group, are other places for certain."""
    switch_on(TAKEOVER)
    give_up_after(shop, 1)
    phone.delays, found = [None], []

    for phone.echo_chat in ("351922000009@s.whatsapp.net", "120363000000000077@g.us"):
        told = send(shop, f"e:{phone.echo_chat}", f"hello not {phone.echo_chat}")
        assert until(settled), phone.echo_chat
        found.append((phone.echo_chat, told.state, taken_over()))

    assert found == [("351922000009@s.whatsapp.net", "unknown", 1),
                     ("120363000000000077@g.us", "unknown", 2)]


def test_send_that_was_refused_after_its_echo_has_succeeded(shop, phone, worker):
    """The server had sent it, and stumbled afterwards."""
    switch_on(TAKEOVER)
    switch_on(ANSWER)
    found = {}

    for number, phone.status in enumerate((400, 404, 429, 500), 1):
        phone.says(f"IN{number}", f"ping {phone.status}")
        assert until(lambda number=number: Run.objects.ended().count() == number
                     and settled()), phone.status
        found[phone.status] = (Run.objects.latest("pk").state, phone.number, taken_over(),
                               OutboxMessage.objects.latest("pk").resolution)

    assert found == {status: ("done", number, 0, "echo")
                     for number, status in enumerate((400, 404, 429, 500), 1)}
    assert OutboxMessage.objects.count() == 4


TWO_STEPS = ANSWER + "  - set: {after: true}\n"


def waits_for_its_echo():
    return Run.objects.live().filter(reason__contains="echo").exists()


def test_run_goes_on_as_soon_as_the_echo_comes_after_the_timeout(shop, phone, worker, settings):
    settings.OMNI_ECHO_WAIT_SECONDS = 600
    switch_on(TAKEOVER)
    switch_on(TWO_STEPS)
    give_up_after(shop, 1)
    phone.delays, phone.echoes = [None], False
    phone.says("IN1", "ping")
    assert until(waits_for_its_echo)

    phone.says("OUT1", "pong ping", own=True)

    assert until(lambda: Run.objects.ended().exists() and settled())
    run = Run.objects.get()
    assert (run.state, run.output, phone.number, taken_over()) == ("done", {"after": True}, 1, 0)


def test_run_whose_echo_never_comes_fails_when_the_wait_is_over(shop, phone, worker, settings):
    settings.OMNI_ECHO_WAIT_SECONDS = 2
    switch_on(TWO_STEPS)
    give_up_after(shop, 1)
    phone.delays, phone.echoes = [None], False
    phone.says("IN1", "ping")
    assert until(waits_for_its_echo)

    assert until(lambda: Run.objects.ended().exists())

    assert (Run.objects.get().state, OutboxMessage.objects.get().state) == ("failed", "unknown")
    assert phone.number == 1


def test_words_that_look_the_same_are_the_same(shop, phone, worker):
    switch_on(TAKEOVER)
    give_up_after(shop, 1)
    phone.delays, found = [None], {}

    for row, phone.heard in {
            "decomposed": lambda text: text.replace("\u00e9", "e\u0301"),
            "direction": lambda text: f"{text}\u200e",
            "isolated": lambda text: f"\u2068{text}\u2069"}.items():
        told = send(shop, f"e:{row}", f"caf\u00e9 {row}")
        assert until(settled), row
        found[row] = (told.state, taken_over())

    assert found == dict.fromkeys(("decomposed", "direction", "isolated"), ("succeeded", 0))


def send(shop, key, text="hello", to=ANA):
    return deliver.send(OutboundMessage(kind="text", to=to, text=text), instance=shop,
                        effect_key=key)


def test_echo_is_routed_as_soon_as_its_send_is_over(shop, phone, worker, monkeypatch):
    monkeypatch.setattr(chores, "LOOK_SECONDS", 3600.0)  # only a note wakes the worker
    give_up_after(shop, 2)
    phone.delays = [1.5, None]

    for number, row in enumerate(("answered", "timed out"), 1):
        send(shop, f"e:{row}", f"hello, {row}")
        assert until(lambda number=number: RoutingDecision.objects.filter(
            event__direction="outbound").count() == number), row
        assert OutboxMessage.objects.latest("pk").event.sent_by_omni, row


def test_two_equal_sends_of_which_one_timed_out_have_each_their_own_echo(shop, phone, worker):
    switch_on(TAKEOVER)
    give_up_after(shop, 1)
    phone.delays = [None, 0.03]

    first = send(shop, "e:1")
    give_up_after(shop, 30)
    second = send(shop, "e:2")
    assert until(settled)

    assert (first.state, second.state) == ("succeeded", "succeeded")
    assert list(OutboxMessage.objects.order_by("id").values_list(
        "effect_key", "provider_message_id", "resolution", "event__provider_message_id")) == [
        ("e:1", "OUT1", "echo", "OUT1"), ("e:2", "OUT2", "", "OUT2")]
    assert taken_over() == 0


def test_send_of_an_interrupted_run_goes_on_when_its_echo_came(shop, phone, worker):
    """The worker was killed after the echo: who meets the effect key again reads its outcome."""
    cause = make_event(shop)
    OutboxMessage.objects.create(
        instance=shop, effect_key="omni:7:steps[0]:0", kind="text", recipient=ANA, run_id=7,
        request={"text": "hello"}, request_hash="x", state="sending", token="gone",
        started_at=cause.received_at, caused_by=cause)
    phone.says("OUT1", "hello", own=True)

    again = deliver.send(OutboundMessage(kind="text", to=ANA, text="hello"), instance=shop,
                         effect_key="omni:7:steps[0]:0", run_id=7)

    assert (again.state, again.duplicate, again.provider_message_id) == ("succeeded", True, "OUT1")
    assert until(settled) and phone.number == 0


def test_run_that_is_held_by_a_limit_says_which(shop, phone, worker, client, settings):
    settings.OMNI_SENDS_PER_MINUTE = 1
    switch_on(ALERTS)
    hook = make_webhook("hook")

    post_delivery(client, hook, {"alert": "0"})
    assert until(lambda: Run.objects.filter(state="done").exists())
    post_delivery(client, hook, {"alert": "1"})
    assert until(lambda: Run.objects.live().exclude(reason="").exists())

    assert Run.objects.live().get().reason == (
        "steps[0] waits: 1 messages a minute to this account are reached (OMNI_SENDS_PER_MINUTE)")


def test_alerts_of_fifteen_webhooks_to_a_group_all_arrive(shop, phone, worker, client):
    switch_on(ALERTS)
    hook = make_webhook("hook")

    for number in range(15):
        post_delivery(client, hook, {"alert": str(number)})
    assert until(lambda: Run.objects.ended().count() == 15 and settled())

    assert set(Run.objects.values_list("state", flat=True)) == {"done"}
    assert sorted(Event.objects.filter(direction="outbound").values_list("text", flat=True)) == (
        sorted(f"ALERT {number}" for number in range(15)))
