"""The whole way in one process: a webhook, the archive, an event, a run, its steps, the reply."""

import json

import pytest
from werkzeug import Request, Response

from actions.models import Agent
from events.models import Event, EventAction, OutboxMessage, RawPayload
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import RoutingDecision, Run
from registry.versions import seed
from tests.factories import ANA, SECRET, evolution_text, make_evolution, post_delivery

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
SENT = "/message/sendText/shop"


@pytest.fixture
def shop(httpserver):
    """An account whose Evolution server and agent are the loopback server; usual playbooks."""
    def echo(request: Request) -> Response:
        return Response(json.dumps({"text": f"You said {request.get_json()['text']}"}),
                        content_type="application/json")

    httpserver.expect_request("/agent", method="POST").respond_with_handler(echo)
    httpserver.expect_request(SENT, method="POST").respond_with_json(
        {"key": {"id": "OUT1", "remoteJid": ANA, "fromMe": True}, "status": "PENDING"}, status=201)
    httpserver.expect_request("/chat/sendPresence/shop").respond_with_json({}, status=201)
    Agent.objects.create(slug="echo", name="Echo", kind="http",
                         base_url=httpserver.url_for("/agent"))
    seed.load_playbooks()
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"), agent="echo")


def work() -> int:
    """What a worker does until nothing is left: route, claim, advance. The number of runs."""
    runs = 0
    while routing.route() + len(claims := queue.claim("test", limit=10)):
        for claim in claims:
            runner.advance(claim)
        runs += len(claims)
    return runs


def sends(httpserver) -> list[Request]:
    return [request for request, _ in httpserver.log if request.path == SENT]


def test_message_becomes_archive_row_event_run_outcomes_and_a_real_send(client, shop, httpserver):
    answer = post_delivery(client, shop, evolution_text("AC1", "good morning"))
    work()

    raw, event = RawPayload.objects.get(), Event.objects.get(provider_message_id="AC1")
    assert (answer.status_code, answer.json()["events"]) == (202, [event.pk])
    assert json.loads(bytes(raw.body))["data"]["key"]["id"] == "AC1"
    assert (event.event_type, event.text, event.raw_id) == (
        "message.text", "good morning", raw.pk)
    run = Run.objects.get(event=event)
    assert (run.workflow.slug, run.state) == ("whatsapp-default-reply", "done")
    outcomes = EventAction.objects.filter(run_id=run.pk).in_order()
    assert list(outcomes.values_list("path", "action", "status")) == [
        ("steps[0]", "guard.blocklist", "done"), ("steps[1]", "route.agent.default", "done"),
        ("steps[2]", "route.reply", "done")]
    [request] = sends(httpserver)
    assert request.headers["apikey"] == "k-secret"
    assert request.get_json() == {"number": ANA, "text": "You said [Ana]: good morning"}


def test_sent_reply_is_an_outbound_event_caused_by_the_message(client, shop):
    post_delivery(client, shop, evolution_text("AC1"))
    work()

    row = OutboxMessage.objects.get()
    asked, said = Event.objects.order_by("id")
    assert (row.state, row.provider_message_id, row.event_id) == ("succeeded", "OUT1", said.pk)
    assert (said.direction, said.caused_by_id, said.trace_id, said.conversation_id) == (
        "outbound", asked.pk, asked.trace_id, asked.conversation_id)


def test_same_body_twice_is_counted_and_answered_once(client, shop, httpserver):
    first = post_delivery(client, shop, evolution_text("AC1"))
    work()
    again = post_delivery(client, shop, evolution_text("AC1"))
    runs = work()

    assert (first.status_code, again.status_code, runs) == (202, 200, 0)
    assert RawPayload.objects.get().deliveries == 2
    assert len(sends(httpserver)) == 1


def test_echo_of_the_reply_is_the_event_of_the_reply(client, shop, httpserver):
    post_delivery(client, shop, evolution_text("AC1"))
    work()
    echo = evolution_text("OUT1", "You said [Ana]: hello", key={"fromMe": True})
    answer = post_delivery(client, shop, echo)
    work()

    assert answer.status_code == 200
    assert Event.objects.filter(provider_message_id="OUT1").count() == 1
    assert len(sends(httpserver)) == 1


def test_messages_of_one_delivery_are_events_in_their_order(client, shop):
    body = evolution_text("C1")
    body["data"] = [evolution_text(name, name)["data"] for name in ("C1", "B2", "A3")]

    answer = post_delivery(client, shop, body)

    names = Event.objects.order_by("id").values_list("provider_message_id", flat=True)
    assert list(names) == ["C1", "B2", "A3"]
    assert answer.json()["events"] == sorted(answer.json()["events"])


def test_disabled_instance_is_archived_and_not_routed(client, shop, httpserver):
    shop.enabled = False
    shop.save()

    answer = post_delivery(client, shop, evolution_text("AC1"))
    runs = work()

    assert (answer.status_code, runs) == (202, 0)
    assert RawPayload.objects.count() == 1
    assert Event.objects.get().state == "not_routed"
    assert not RoutingDecision.objects.exists()
    assert httpserver.log == []


def test_own_message_is_not_answered_and_the_decision_names_the_clause(client, shop, httpserver):
    post_delivery(client, shop, evolution_text("AC1", key={"fromMe": True}))
    work()

    verdicts = {verdict["workflow"]: (verdict["result"], verdict["clause"])
                for verdict in RoutingDecision.objects.get().considered}
    assert verdicts == {"ignore-self": ("matched", ""),
                        "text-reply": ("condition", "event.direction == 'inbound'"),
                        "whatsapp-default-reply": ("condition", "event.direction == 'inbound'")}
    run = Run.objects.get()
    assert (run.workflow.slug, run.state, run.reason) == (
        "ignore-self", "ignored", "own message")
    assert httpserver.log == []


def test_token_that_the_body_brings_is_not_kept(client, shop):
    post_delivery(client, shop, evolution_text("AC1"))

    raw = RawPayload.objects.get()
    assert raw.redacted and b"canary-instance-key" not in bytes(raw.body)


def test_delivery_without_the_proof_leaves_nothing_behind(client, shop):
    answer = post_delivery(client, shop, evolution_text("AC1"), **{"x-omni-secret": SECRET[::-1]})

    assert answer.status_code == 401
    assert not RawPayload.objects.exists() and not Event.objects.exists()
