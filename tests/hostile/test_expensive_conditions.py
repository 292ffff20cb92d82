"""A condition that is as much work as anybody can write keeps no other account's event waiting."""

import json
import time

import pytest

from events.models import Event
from registry.engine.route import routing
from registry.expressions import budget
from registry.models import RoutingDecision
from tests.factories import make_instance, switch_on

pytestmark = pytest.mark.django_db
EXPENSIVE = """\
omni: 1
id: expensive-{0}
trigger:
  - event: "*"
    instance: hostile
    where: {1}
steps: [{{stop: done}}]
"""
CHEAP = """\
omni: 1
id: cheap
trigger: [{event: "*", instance: shop, where: "event.text == 'hello'"}]
steps: [{stop: done}]
"""
KEYED = f"""\
omni: 1
id: keyed
trigger: [{{event: "*", instance: hostile}}]
once: {{key: "[{', '.join(['event.content'] * 8)}]"}}
steps: [{{stop: done}}]
"""
WHERES = {
    "lists": " or ".join(["overlaps(event.content.payload.a, event.content.payload.b)"] * 18),
    "text": " or ".join(["words(event.text, 'x')"] * 30),
    "patterns": " or ".join(["glob(event.text, '*a*a*a*a*a*b')"] * 30),
    "json": " or ".join(["not parse_json(event.text)"] * 30),
}
BODIES = {"lists": {"a": [*range(1000, 6200)], "b": [*range(6200, 9999), *range(100, 999)]},
          "json": {"text": f"[{'1,' * 32_000}1]"}}


@pytest.fixture
def deliver(client):
    """Deliver a body to an account of the webhook."""
    for slug in ("hostile", "shop"):
        make_instance(slug, settings={
            "verification": "none", "allow_unsigned": True,
            "mapping": {"event_type": "message.text", "id": "id", "text": "text"}})

    def post(slug, **body):
        answer = client.post(f"/webhooks/webhook/{slug}/", json.dumps({"id": "1", **body}),
                             content_type="application/json")
        assert answer.status_code == 202, answer.content
        return Event.objects.get(instance__slug=slug)

    return post


def decided(event):
    return RoutingDecision.objects.get(event=event).considered


@pytest.mark.parametrize("what", WHERES)
def test_condition_that_is_too_much_is_refused_and_says_why(deliver, what):
    switch_on(EXPENSIVE.format(0, WHERES[what]))
    event = deliver("hostile", **BODIES.get(what, {"text": "a, é" * 16_000}))

    routing.route()

    [verdict] = decided(event)
    assert verdict["result"] == "error"
    assert f"at most {budget.MOST:,} operations" in verdict["clause"]


def test_another_accounts_event_is_routed_in_time_behind_expensive_conditions(deliver):
    for number in range(20):
        switch_on(EXPENSIVE.format(number, WHERES["lists"]))
    switch_on(CHEAP)
    costly = deliver("hostile", **BODIES["lists"])
    plain = deliver("shop", text="hello")
    started = time.process_time()

    routing.route()

    took = time.process_time() - started
    said = [verdict for verdict in decided(costly) if verdict["workflow"] != "cheap"]
    assert {verdict["result"] for verdict in said} == {"error"} and len(said) == 20
    assert f"at most {budget.MOST_OF_EVENT:,} operations" in said[-1]["clause"]
    assert [verdict["result"] for verdict in decided(plain)
            if verdict["workflow"] == "cheap"] == ["matched"]
    assert took < 10  # of the 20 million comparisons of each clause nothing is left


def test_key_of_a_gate_is_no_way_around_the_limit(deliver):
    switch_on(KEYED)
    event = deliver("hostile", a=[1] * 15_000)

    routing.route()

    [verdict] = decided(event)
    assert verdict["result"] == "error" and "a key may do at most" in verdict["clause"]
