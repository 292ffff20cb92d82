"""A server that says "not now": the step is tried again when it asked for it, and sent once."""

import json

import pytest
from werkzeug import Response

from events.models import EventAction, OutboxMessage
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import Run
from tests.factories import ANA, evolution_text, make_evolution, post_delivery, switch_on

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
GENTLE = """\
omni: 1
id: gentle
claim: reply
trigger: [{event: message.text, where: event.direction == 'inbound'}]
steps:
  - uses: route.reply
    retry: {max: 2, delay: 1s, jitter: false, errors: [rate_limited]}
    with: {text: answer}
"""
PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def shop(httpserver):
    httpserver.expect_request("/chat/sendPresence/shop").respond_with_json({}, status=201)
    switch_on(GENTLE)
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"))


def answers(httpserver, *responses):
    """What the server says to one send after the other."""
    for response in responses:
        httpserver.expect_ordered_request("/message/sendText/shop").respond_with_response(response)


def work():
    while routing.route():
        pass
    while claims := queue.claim("test", limit=10):
        for claim in claims:
            runner.advance(claim)


@pytest.mark.parametrize(("status", "headers"), [
    (429, {}), (429, {"Retry-After": "1"}), (429, {"Retry-After": "1.5"}),
    (429, {"Retry-After": PAST}), (429, {"Retry-After": "soon"}), (503, {"Retry-After": "1"})])
def test_step_is_tried_again_after_a_no_for_now(client, shop, httpserver, clock, status, headers):
    answers(httpserver, Response("busy", status, headers), Response(
        json.dumps({"key": {"id": "OUT1", "remoteJid": ANA, "fromMe": True}}), 201))
    post_delivery(client, shop, evolution_text("AC1"))
    work()
    first = EventAction.objects.filter(action="route.reply").earliest("id")
    clock.forward(seconds=2)
    work()

    row = OutboxMessage.objects.get()
    assert (first.status, first.code) == ("failed", "rate_limited")
    assert (row.state, row.attempts, row.provider_message_id) == ("succeeded", 2, "OUT1")
    assert Run.objects.get().state == "done"


def test_endless_wait_is_an_hour(client, shop, httpserver, clock):
    answers(httpserver, Response("busy", 429, {"Retry-After": "9" * 30}))
    post_delivery(client, shop, evolution_text("AC1"))
    work()

    assert EventAction.objects.get(action="route.reply").output["retry_after"] == 3600.0


def test_server_that_only_fails_is_not_asked_again(client, shop, httpserver, clock):
    answers(httpserver, Response("down", 503))
    post_delivery(client, shop, evolution_text("AC1"))
    work()
    clock.forward(hours=1)
    work()

    assert (OutboxMessage.objects.get().state, Run.objects.get().state) == ("unknown", "failed")
