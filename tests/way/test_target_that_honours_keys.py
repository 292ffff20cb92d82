"""A send nobody knows the outcome of is repeated only where the other side knows it again."""

import pytest
from werkzeug import Response

from events.models import EventAction, OutboxMessage
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import Run
from tests.factories import SECRET, make_instance, post_delivery, switch_on

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
STEADY = """\
omni: 1
id: steady
trigger: [{event: webhook.received}]
steps:
  - uses: route.send
    retry: {max: 2, delay: 1s, jitter: false}
    with: {to: ana, text: answer}
"""


@pytest.fixture
def shop(httpserver, request):
    switch_on(STEADY)
    return make_instance("shop", credentials={"token": SECRET}, settings={
        "send_url": httpserver.url_for("/out"), "send_idempotent": request.param})


def answers(httpserver, *statuses):
    for status in statuses:
        httpserver.expect_ordered_request("/out").respond_with_response(
            Response("{}", status, content_type="application/json"))


def come(client, shop, clock):
    """A delivery, and all that workers do in the minute after it."""
    post_delivery(client, shop, {"a": 1})
    while routing.route():
        pass
    for _ in range(5):
        for claim in queue.claim("test", limit=10):
            runner.advance(claim)
        clock.forward(seconds=clock.offset + 10)
        queue.wake_due()


@pytest.mark.parametrize("shop", [True], indirect=True)
@pytest.mark.parametrize("status", [500, 502, 408, 409])
def test_unknown_send_is_repeated_under_its_key(client, shop, httpserver, clock, status):
    answers(httpserver, status, status, 200)

    come(client, shop, clock)

    row = OutboxMessage.objects.get()
    keys = {request.headers["idempotency-key"] for request, _ in httpserver.log}
    assert (row.state, row.attempts, len(httpserver.log)) == ("succeeded", 3, 3)
    assert keys == {row.effect_key} and Run.objects.get().state == "done"
    assert list(EventAction.objects.order_by("attempt").values_list("status", flat=True)) == [
        "unknown", "unknown", "done"]


@pytest.mark.parametrize("shop", [True], indirect=True)
def test_send_that_stays_unknown_ends_as_unknown(client, shop, httpserver, clock):
    answers(httpserver, 502, 502, 502)

    come(client, shop, clock)

    outcome = EventAction.objects.get(final=True)
    assert (outcome.status, outcome.attempt, OutboxMessage.objects.get().state) == (
        "unknown", 3, "unknown")
    assert Run.objects.get().state == "failed"


@pytest.mark.parametrize("shop", [False], indirect=True)
def test_other_targets_are_asked_once(client, shop, httpserver, clock):
    answers(httpserver, 502)

    come(client, shop, clock)

    assert len(httpserver.log) == 1 and OutboxMessage.objects.get().state == "unknown"
