"""What went wrong in the engine is an event of its own."""

import pytest

from events.models import Event
from registry.engine.route import routing
from registry.engine.run import alerts
from registry.models import Run
from tests.factories import NOON, make_event, make_instance, make_run, switch_on

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("state", "kind"), [("failed", "workflow.failed"),
                                             ("dead", "system.run.dead")])
def test_run_that_ended_badly_is_told_once(state, kind):
    event = make_event(make_instance(), hop=1)
    run = make_run(event, state=state, reason="no answer", code="timeout", step_path="steps[2]")

    alerts.run_ended_badly(run)
    alerts.run_ended_badly(run)

    told = Event.objects.get(event_type=kind)
    assert (told.text, told.direction, told.auto_generated) == ("no answer", "internal", True)
    assert (told.caused_by_id, told.trace_id, told.hop) == (event.pk, event.trace_id, 2)
    assert told.content == {"run": run.pk, "workflow": run.workflow.slug, "event": event.pk,
                            "step": "steps[2]", "code": "timeout"}


def test_stopped_loop_is_told_once_a_minute_for_each_conversation(monkeypatch):
    shop = make_instance()
    monkeypatch.setattr(alerts.timezone, "now", lambda: NOON)

    for place in ("a", "b") * 10:
        run = make_run(make_event(shop, conversation_ref=place), state="failed", code="loop_guard",
                       reason=f"{place} runs answered this conversation within a minute")
        alerts.run_ended_badly(run)

    told = Event.objects.filter(event_type="system.loop.stopped")
    assert sorted(told.values_list("conversation_ref", flat=True)) == ["a", "b"]


def test_alert_wakes_a_workflow_that_listens_for_it():
    watcher = switch_on("omni: 1\nid: watcher\ntrigger: [{event: workflow.failed}]\n"
                        "steps: [{stop: done}]\n")
    alerts.run_ended_badly(make_run(state="failed"))

    routing.route()

    assert Run.objects.filter(workflow=watcher, event__event_type="workflow.failed").exists()


def test_watcher_that_fails_itself_is_not_told_of_it():
    switch_on("omni: 1\nid: watcher\ntrigger: [{event: [workflow.failed, 'system.**']}]\n"
              "steps: [{stop: failed}]\n")
    alerts.run_ended_badly(make_run(state="failed"))

    for _ in range(20):
        routing.route()
        for run in Run.objects.filter(state="queued", workflow__slug="watcher"):
            Run.objects.filter(pk=run.pk).update(state="failed")
            run.state = "failed"
            alerts.run_ended_badly(run)

    assert not Event.objects.unrouted().exists()
    assert Event.objects.filter(event_type="workflow.failed").count() == 1
