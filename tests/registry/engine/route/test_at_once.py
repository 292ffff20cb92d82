"""Runs that end at routing are stored as if somebody had walked them."""

import pytest
from django.forms import model_to_dict

from events.models import EventAction
from registry.engine.route import at_once, routing
from registry.engine.work import queue
from registry.models import RoutingDecision, Run, Workflow
from tests.factories import make_conversation, make_event, make_instance, switch_on
from tests.registry.runs import work

pytestmark = pytest.mark.django_db
STOP = """\
omni: 1
id: stopper
trigger: [{event: message.text}]
%s
steps:
%s
  - stop: {status: ignored, reason: not now}
"""
FIRST = "  - stop: {%s}"
TIMES = ("started_at", "ended_at", "created_at", "available_at", "deadline", "decided_at",
         "duration_ms")
OWN = ("id", "event", "run_id", "event_id", "ticket", "lease_owner")


def document(stop, *, head=""):
    return STOP % (head, f"  - {stop}")


def rows():
    """What is stored of the one event: run, outcomes, and decision without their times and ids."""
    run, = Run.objects.all()
    found = [run, *EventAction.objects.filter(run_id=run.pk).order_by("id"),
             RoutingDecision.objects.get(event=run.event)]
    facts = [model_to_dict(row) for row in found]
    for row in facts:
        for name in OWN:
            row.pop(name, None)
        for name in TIMES:
            if name in row:
                row[name] = row[name] is not None
        for verdict in row.get("considered", ()):
            verdict.pop("run_id")
    return facts


def come(**fields):
    shop = make_instance()
    return make_event(shop, routed_at=None, conversation=make_conversation(shop), **fields)


def walked(monkeypatch):
    """The rows after a walk, as if nothing ended at routing."""
    with monkeypatch.context() as patch:
        patch.setattr(at_once, "_stops", lambda definition: False)
        work()
    return rows()


STOPS = ["stop: {status: ignored, reason: not now}", "stop: done", "stop: ignored",
         "{id: named, stop: {status: done, reason: enough}}"]


@pytest.mark.parametrize("head", ["", "concurrency: {limit: 2, key: event.instance_id}"])
@pytest.mark.parametrize("stop", STOPS)
def test_rows_are_those_a_walk_would_have_written(stop, head, monkeypatch):
    switch_on(document(stop, head=head))
    event = come()
    routing.route()
    at_routing = rows()
    state = Run.objects.get().state
    for model in (EventAction, RoutingDecision, Run):
        model.objects.all().delete()
    type(event).objects.filter(pk=event.pk).update(routed_at=None)

    assert walked(monkeypatch) == at_routing and state in ("done", "ignored")


def test_nobody_is_asked_to_claim_what_has_ended():
    switch_on(document(STOPS[0]))
    come()

    routing.route()

    assert queue.claim("w1", limit=5) == [] and Run.objects.get().state == "ignored"


@pytest.mark.parametrize(("stop", "head"), [
    ("stop: {status: failed, reason: wrong}", ""),
    ("{if: event.text == 'x', stop: done}", ""),
    ("stop: {status: done, reason: '${{ event.text }}'}", ""),
    ("stop: done", "vars: {a: '${{ event.text }}'}"),
    ("stop: done", "cancel_on: [{event: message.deleted}]"),
    ("stop: done", "debounce: {quiet: 5s, key: event.instance_id}"),
    ("set: {a: 1}", "")],
    ids=["failed", "condition", "computed", "vars", "cancel_on", "burst", "no stop"])
def test_other_runs_are_walked(stop, head):
    switch_on(document(stop, head=head))
    come()

    routing.route()

    assert Run.objects.get().state in ("queued", "waiting") and not EventAction.objects.exists()


def test_run_of_a_paused_workflow_does_not_end_before_it_is_resumed():
    switch_on(document(STOPS[0]))
    Workflow.objects.update(mode="paused")
    come()

    routing.route()

    assert Run.objects.get().state == "blocked"
