"""The whole way in one process: an Evolution webhook, its event, its run and the reply."""

import json

import pytest

from actions.models import Agent
from connections.models import Instance
from events.models import Event, EventAction, OutboxMessage, RawPayload
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import RoutingDecision, Run
from registry.versions import seed

SECRET = "the-shared-secret"


@pytest.fixture
def shop(db, httpserver):
    """A WhatsApp account whose server and agent are a loopback peer."""
    seed.seed()
    httpserver.expect_request("/agent").respond_with_json({"text": "We open at nine."})
    httpserver.expect_request("/message/sendText/shop").respond_with_json(
        {"key": {"id": "OUT1", "remoteJid": "5511@s.whatsapp.net", "fromMe": True}}, status=201)
    httpserver.expect_request("/chat/sendPresence/shop").respond_with_json({}, status=201)
    Agent.objects.create(slug="peer", name="Peer", kind="http",
                         base_url=httpserver.url_for("/agent"))
    return Instance.objects.create(
        slug="shop", name="Shop", provider="whatsapp_evolution", agent="peer",
        settings={"base_url": httpserver.url_for("")},
        credentials={"api_key": "evolution-key", "webhook_secret": SECRET})


def deliver(client, *, message_id="3A01", from_me=False, secret=SECRET):
    body = {"event": "messages.upsert", "instance": "shop", "apikey": "instance-token", "data": {
        "key": {"remoteJid": "5511999990000@s.whatsapp.net", "fromMe": from_me, "id": message_id},
        "pushName": "Ana", "message": {"conversation": "When do you open?"},
        "messageType": "conversation", "messageTimestamp": 1_790_000_000}}
    return client.post("/webhooks/whatsapp_evolution/shop/", json.dumps(body),
                       content_type="application/json", headers={"x-omni-secret": secret})


def work():
    """What a worker does, until nothing is left."""
    while routing.route():
        pass
    while claims := queue.claim("test", limit=10):
        for claim in claims:
            runner.advance(claim)


def sent(httpserver):
    return [request for request, _ in httpserver.log if request.path.startswith("/message/")]


def test_message_is_archived_stored_run_and_answered(client, shop, httpserver):
    answer = deliver(client)
    work()

    raw, event = RawPayload.objects.get(), Event.objects.get(direction="inbound")
    run = Run.objects.get()
    assert answer.status_code == 202 and event.raw_id == raw.pk
    assert (event.event_type, event.text) == ("message.text", "When do you open?")
    assert (run.event_id, run.state) == (event.pk, "done")
    assert list(EventAction.objects.in_order().values_list("path", "status")) == [
        ("steps[0]", "done"), ("steps[1]", "done"), ("steps[2]", "done")]
    request, = sent(httpserver)
    assert request.headers["apikey"] == "evolution-key"
    assert request.get_json() == {"number": "5511999990000@s.whatsapp.net",
                                  "text": "We open at nine."}


def test_reply_is_an_outbound_event_caused_by_the_message(client, shop):
    deliver(client)
    work()

    reply = Event.objects.get(direction="outbound")
    assert reply.caused_by == Event.objects.get(direction="inbound")
    assert (reply.provider_message_id, reply.source, reply.hop) == ("OUT1", "api", 1)
    assert OutboxMessage.objects.get().state == "succeeded"


def test_same_message_twice_is_one_event_one_run_one_send(client, shop, httpserver):
    first, again = deliver(client), deliver(client)
    work()

    assert (first.status_code, again.status_code) == (202, 200)
    assert RawPayload.objects.get().deliveries == 2
    assert Run.objects.count() == 1 and len(sent(httpserver)) == 1


def test_instance_token_of_the_body_is_not_kept(client, shop):
    deliver(client)

    raw = RawPayload.objects.get()
    assert raw.redacted and b"instance-token" not in bytes(raw.body)


def test_without_the_secret_nothing_is_stored(client, shop):
    answer = deliver(client, secret="a guess")

    assert answer.status_code == 401
    assert not RawPayload.objects.exists() and not Event.objects.exists()


def test_own_message_is_not_answered_and_the_reason_is_stored(client, shop, httpserver):
    deliver(client, from_me=True)
    work()

    considered = RoutingDecision.objects.get().considered
    assert {item["workflow"]: item["result"] for item in considered}["ignore-self"] == "matched"
    assert Run.objects.get().reason == "own message" and not sent(httpserver)


def test_message_of_a_disabled_instance_is_archived_and_wakes_nothing(client, shop):
    shop.enabled = False
    shop.save()

    answer = deliver(client)
    work()

    assert answer.status_code in (200, 202) and RawPayload.objects.count() == 1
    assert Event.objects.get().state == "not_routed" and not Run.objects.exists()
