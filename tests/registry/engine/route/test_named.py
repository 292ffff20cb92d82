"""Events that name the workflow they are for wake that one, and no other by accident."""

import pytest

from registry.engine.route import matching, routing
from registry.models import Run
from tests.factories import make_event, make_instance, switch_on

pytestmark = pytest.mark.django_db
INPUTS = "inputs: {text: {type: text, required: true}, times: {type: integer, default: 1}}\n"


def flow(name, *, trigger="manual: true", inputs=INPUTS):
    return f"omni: 1\nid: {name}\n{inputs}trigger: [{{{trigger}}}]\nsteps: [{{set: {{a: 1}}}}]\n"


@pytest.fixture
def shop():
    return make_instance()


def decide(event):
    return matching.match(event, matching.table())


@pytest.mark.parametrize(("content", "clause"), [
    ({"workflow": "clock", "cron": "0  9 * * *", "timezone": "UTC"}, None),
    ({"workflow": "clock", "cron": "0 8 * * *", "timezone": "UTC"},
     "schedule is 0 8 * * *, UTC"),
    ({"workflow": "clock", "cron": "0 9 * * *", "timezone": "Asia/Tokyo"},
     "schedule is 0 9 * * *, Asia/Tokyo"),
])
def test_tick_matches_the_line_it_names(shop, content, clause):
    line = "schedule: {cron: 0 9 * * *}"
    switch_on(flow("clock", trigger=line, inputs=""))
    switch_on(flow("second", trigger=line, inputs=""))

    decision = decide(make_event(shop, event_type="system.schedule", direction="internal",
                                 content=content))

    [verdict] = decision.considered
    assert verdict["workflow"] == "clock"
    assert (verdict["result"], verdict["clause"]) == (
        ("condition", clause) if clause else ("matched", ""))


def test_named_workflow_without_that_trigger_is_told_so(shop):
    switch_on(flow("news", trigger="event: message.text", inputs=""))

    decision = decide(make_event(shop, event_type="system.manual", direction="internal",
                                 content={"workflow": "news"}))

    assert not decision.matches
    assert decision.considered[0]["clause"] == "it is started by hand"


def test_named_workflow_takes_its_claim_before_those_that_listen(shop):
    switch_on(flow("news", inputs="claim: reply\npriority: 900\n"))
    switch_on(flow("watcher", trigger="event: 'system.*'", inputs="claim: reply\npriority: 1\n"))
    switch_on(flow("observer", trigger="event: 'system.*'", inputs=""))

    decision = decide(make_event(shop, event_type="system.manual", direction="internal",
                                 content={"workflow": "news"}))

    assert [one.slug for one in decision.matches] == ["news", "observer"]


@pytest.mark.parametrize("forged", [{"raw_id": 7}, {"direction": "inbound"},
                                    {"content": {"workflow": ["news"]}}, {"content": {}}])
def test_event_from_outside_starts_nothing(shop, forged):
    switch_on(flow("news", inputs=""))

    decision = decide(make_event(shop, **{
        "event_type": "system.manual", "direction": "internal", "content": {"workflow": "news"},
        **forged}))

    assert not decision.matches


def test_inputs_that_a_newer_version_does_not_know_are_left_out(shop):
    switch_on(flow("news"), inputs={"text": "a"})

    decision = decide(make_event(shop, event_type="system.manual", direction="internal",
                                 content={"workflow": "news", "inputs": {"gone": 1, "times": 3}}))

    assert decision.matches[0].inputs == {"text": "a", "times": 3}


def test_listener_does_not_get_the_inputs_of_the_named_one(shop):
    switch_on(flow("watcher", trigger="event: system.manual"), inputs={"text": "mine"})

    decision = decide(make_event(shop, event_type="system.manual", direction="internal",
                                 content={"workflow": "news", "inputs": {"text": "theirs"}}))

    assert decision.matches[0].inputs["text"] == "mine"


def test_routed_tick_is_a_run_of_its_workflow_alone(shop):
    for name, hour in (("early", 8), ("late", 9)):
        switch_on(flow(name, trigger=f"schedule: {{cron: 0 {hour} * * *}}", inputs=""))
    event = make_event(shop, event_type="system.schedule", direction="internal", routed_at=None,
                       content={"workflow": "late", "cron": "0 9 * * *", "timezone": "UTC"})

    routing.route()

    run = Run.objects.get()
    assert (run.event_id, run.workflow.slug) == (event.pk, "late")
