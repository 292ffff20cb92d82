"""Webhooks without the field a gate or a wait goes by: none has anything to do with another."""

import pytest

from events.models import Event
from registry.models import RoutingDecision, Run
from tests.factories import make_event, make_webhook, post_delivery, switch_on
from tests.registry.runs import work

pytestmark = pytest.mark.django_db
GATED = """\
omni: 1
id: gated
trigger: [{{event: webhook.received}}]
{gate}
steps: [{{uses: custom.look}}]
"""


@pytest.mark.parametrize(("gate", "name"), [
    ("once: {key: event.content.payload.order_id}", "once"),
    ("once: {key: '[event.content.payload.a, event.content.payload.b]'}", "once"),
    ("debounce: {quiet: 6s, key: event.content.payload.order_id}", "debounce"),
    ("debounce: {quiet: 6s}", "debounce"),
    ("throttle: {limit: 1, per: 1h, mode: drop, key: event.content.payload.order_id}", "throttle"),
    ("concurrency: {limit: 1, mode: skip, key: event.content.payload.order_id}", "concurrency")])
def test_events_without_the_key_each_have_a_run_and_their_story_says_why(
        client, probe, gate, name):
    switch_on(GATED.format(gate=gate))
    shop = make_webhook()
    for number in range(3):
        post_delivery(client, shop, {"number": number})

    work()

    assert len(probe.calls) == 3
    for event in Event.objects.filter(event_type="webhook.received"):
        [verdict] = RoutingDecision.objects.get(event=event).considered
        assert verdict["result"] == "matched"
        assert verdict["clause"].startswith(f"{name}: ") and "no other" in verdict["clause"]


@pytest.mark.parametrize("key", ["\u200b", "\ufeff", " \u200b\u00a0", "", " ", ["a", "\u200e"]])
def test_key_nobody_sees_is_no_key(client, probe, key):
    switch_on(GATED.format(gate="once: {key: event.content.payload.order_id}"))
    shop = make_webhook()
    for number in range(2):
        post_delivery(client, shop, {"order_id": key, "number": number})

    work()

    assert len(probe.calls) == 2


def test_events_with_the_key_are_still_counted(client, probe):
    switch_on(GATED.format(gate="once: {key: event.content.payload.order_id}"))
    shop = make_webhook()
    for body in ({"order_id": 1}, {"order_id": 1, "again": True}, {"order_id": 0}):
        post_delivery(client, shop, body)

    work()

    assert len(probe.calls) == 2


def test_wait_for_a_field_that_is_missing_is_not_settled_by_somebody_else(client, probe):
    switch_on("""\
omni: 1
id: waits
once: {key: "'only one'"}
trigger: [{event: webhook.received}]
steps:
  - wait: {event: webhook.received, match: {target_message_id: "${{ event.target_message_id }}"},
           timeout: 1h}
  - uses: custom.look
""")
    shop = make_webhook()
    post_delivery(client, shop, {"number": 1})
    work()
    post_delivery(client, shop, {"number": 2})

    work()

    assert probe.calls == [] and Run.objects.get().state == "waiting"


def test_run_is_not_canceled_by_an_event_that_lacks_the_same_field(client, probe):
    switch_on("""\
omni: 1
id: waits
once: {key: "'only one'"}
trigger: [{event: webhook.received}]
cancel_on: [{event: webhook.received, match: {conversation: "${{ conversation.id }}"}}]
steps: [{wait: 1h}]
""")
    shop = make_webhook()
    post_delivery(client, shop, {"number": 1})
    work()
    post_delivery(client, shop, {"number": 2})

    work()

    assert Run.objects.get().state == "waiting"


def test_wait_finds_its_event_however_the_name_was_typed(client, probe):
    switch_on("""\
omni: 1
id: waits
trigger: [{event: webhook.received, where: event.content.payload.start}]
steps:
  - wait: {event: message.text, match: {sender_name: "${{ event.content.payload.name }}"}}
  - uses: custom.look
""")
    shop = make_webhook()
    post_delivery(client, shop, {"start": True, "name": "Jose\u0301"})
    work()
    make_event(shop, sender_name="\u200eJos\u00e9", routed_at=None)

    work()

    assert len(probe.calls) == 1


def test_key_is_the_same_however_it_was_typed(client, probe):
    switch_on(GATED.format(gate="once: {key: event.content.payload.name}"))
    shop = make_webhook()
    for name in ("Jos\u00e9", "Jose\u0301", "\u200eJos\u00e9"):
        post_delivery(client, shop, {"name": name})

    work()

    assert len(probe.calls) == 1
