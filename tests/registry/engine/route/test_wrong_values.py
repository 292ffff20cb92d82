"""Whatever an event holds where a gate, `cancel_on` or a wait looks: it is decided, and nobody else
is held up by it.
"""

import json

import pytest

from connections.storable import storable_json
from events.models import Event
from registry.engine.route import routing
from registry.models import RoutingDecision, Run
from tests.factories import make_event, make_instance, switch_on
from tests.registry.runs import advance

pytestmark = pytest.mark.django_db(transaction=True)
VALUES = [
    None, "", "text", "ü" * 5000, "\u0000", "\ud800", True, 0, -1, 1.5, 10**30, 1e308,
    float("inf"), [], [None], [[1], {"a": [2]}], {}, {"b": None}, {"a": {"a": {"a": "x" * 300}}},
    list(range(500)), "2026-01-01T00:00:00Z"]
TEXT = """\
omni: 1
id: gated
trigger: [{event: message.text, where: event.text == 'odd'}]
%s
steps: [{set: {seen: true}}, {stop: done}]
"""
PLAIN = """\
omni: 1
id: plain
trigger: [{event: message.text, where: event.text == 'plain'}]
steps: [{set: {seen: true}}, {stop: done}]
"""
GATES = {
    "once": "once: {key: event.content.v}",
    "once for a time": "once: {key: event.content.v.a, per: 1h}",
    "debounce": "debounce: {quiet: 5s, key: event.content.v}",
    "throttle": "throttle: {limit: 1, per: 1m, key: event.content.v}",
    "concurrency": "concurrency: {limit: 2, key: event.content.v}",
    "restart": "concurrency: {limit: 1, mode: restart, key: 'event.content.v[0]'}",
    "cancel_on": "cancel_on: [{event: message.text, match: {conversation: "
                 "'${{ event.content.v }}', text: '${{ event.content.v + 1 }}'}}]",
    "cancel_on where": "cancel_on: [{event: message.text, where: event.content.v > now}]",
}


def stored(value: object) -> object:
    """A value as the store would keep it: what JSON has no form for is text there."""
    return json.loads(storable_json(str(value) if value == float("inf") else value))


def come(shop: object, text: str, value: object) -> Event:
    return make_event(shop, text=text, content={"v": stored(value)}, routed_at=None)


@pytest.mark.parametrize("gate", GATES.values(), ids=list(GATES))
def test_every_event_is_decided_and_those_of_others_have_their_runs(gate):
    switch_on(TEXT % gate)
    switch_on(PLAIN)
    one, other = make_instance("one"), make_instance("other")
    odd, plain = [], []
    for value in VALUES * 2:
        odd.append(come(one, "odd", value))
        plain.append(come(other, "plain", value))

    while routing.route():
        pass

    assert RoutingDecision.objects.filter(event__in=odd).count() == len(odd)
    assert set(Run.objects.filter(workflow__slug="plain").values_list("event", flat=True)) == {
        event.pk for event in plain}
    reasons = RoutingDecision.objects.filter(event__in=odd, reason__startswith="routing failed")
    assert {one.event_id for one in reasons} == {
        event.caused_by_id for event in Event.objects.filter(
            event_type="system.routing.failed")}


def test_every_event_is_compared_with_what_is_waited_for():
    switch_on("omni: 1\nid: waits\ntrigger: [{event: message.image}]\nsteps:\n"
              "  - wait: {event: message.text, match: {text: '${{ event.content.v }}'},"
              " where: event.content.v > now, timeout: 1h}\n")
    switch_on(PLAIN)
    shop, other = make_instance("one"), make_instance("other")
    for value in VALUES:
        make_event(shop, event_type="message.image", content={"v": stored(value)}, routed_at=None)
    routing.route()
    runs = list(Run.objects.order_by("id"))
    for run in runs:
        advance(run)
    events = [come(shop, "odd", value) for value in VALUES]
    plain = come(other, "plain", 1)

    while routing.route():
        pass

    assert len(runs) == len(VALUES)
    assert RoutingDecision.objects.filter(event__in=events).count() == len(events)
    assert Run.objects.filter(event=plain).exists()
