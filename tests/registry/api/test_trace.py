"""The trace over REST: an event and everything that came of it."""

import pytest
from django.utils import timezone

from events.models import EventAction, OutboxMessage
from registry.models import RoutingDecision
from tests.api_client import client_of
from tests.factories import make_event, make_instance, make_run, make_workflow

pytestmark = pytest.mark.django_db


def test_trace_tells_the_whole_story_of_an_event():
    shop = make_instance()
    event = make_event(shop)
    run = make_run(event, state="done", workflow=make_workflow())
    now = timezone.now()
    outcome = EventAction.objects.create(
        instance=shop, event=event, run_id=run.pk, workflow="greeter", path="steps[0]",
        step_kind="set", status="done", started_at=now, ended_at=now, duration_ms=1.0)
    sent = OutboxMessage.objects.create(instance=shop, effect_key="e:1", kind="text",
                                        request_hash="x", run_id=run.pk, state="succeeded")
    RoutingDecision.objects.create(
        event=event, instance=shop, matched=1, decided_at=now,
        considered=[{"workflow": "greeter", "result": "matched", "run_id": run.pk}])

    story = client_of("read").get(f"/api/v1/events/{event.pk}/trace/").data

    assert story["event"]["id"] == event.pk
    assert story["routing_decision"]["considered"][0]["run_id"] == run.pk
    assert [row["id"] for row in story["runs"]] == [run.pk]
    assert [row["id"] for row in story["actions"]] == [outcome.pk]
    assert [row["id"] for row in story["outbox"]] == [sent.pk]


def test_trace_of_an_event_nothing_fired_on_says_so():
    shop = make_instance()
    event = make_event(shop)
    RoutingDecision.objects.create(event=event, instance=shop, reason="no workflow is bound here",
                                   decided_at=timezone.now())

    story = client_of("read").get(f"/api/v1/events/{event.pk}/trace/").data

    assert story["routing_decision"]["reason"] == "no workflow is bound here"
    assert story["runs"] == story["actions"] == story["outbox"] == []
