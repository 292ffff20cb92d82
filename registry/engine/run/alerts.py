"""System events: what went wrong in the engine is an event too, and can wake workflows."""

from typing import Any

from django.utils import timezone

from connections.envelope import EventDraft
from events.models import Event
from events.outbox.limits import LOOP_STOPPED
from events.store import ingest, notify
from events.store.units import Unit
from registry.models import Run

FAILED = "workflow.failed"
DEAD = "system.run.dead"
ROUTING_FAILED = "system.routing.failed"


def run_ended_badly(run: Run) -> None:
    """Store `workflow.failed` or `system.run.dead` for a run; once per run.

    A workflow that handles such an event and fails itself makes no other one.
    """
    if run.event.event_type in (FAILED, DEAD):
        return
    kind = DEAD if run.state == "dead" else FAILED
    _store(run.event, kind, f"run:{run.pk}:{run.state}", run.reason, {
        "run": run.pk, "workflow": run.workflow.slug, "event": run.event_id,
        "step": run.step_path, "code": run.code})
    if run.code == "loop_guard":
        loop_stopped(run.event)


def loop_stopped(event: Event) -> None:
    """Store `system.loop.stopped` for the conversation of an event; once a minute at most.

    While it is young, the conversation gets no automatic answers (`events.outbox.limits`). It says
    nothing that differs from event to event: with other content it would be another event of the
    same key. What it was is its cause, and the reason of the decision or the run.
    """
    minute = timezone.now().strftime("%Y%m%d%H%M")
    _store(event, LOOP_STOPPED, f"loop:{event.place}:{minute}",
           "automatic answers to this conversation are stopped: it looked like a loop", {})


def routing_failed(event: Event, reason: str) -> None:
    """Store `system.routing.failed` for an event no workflow was asked about, with the reason.

    One that is about such an event makes no other.
    """
    if event.event_type != ROUTING_FAILED:
        _store(event, ROUTING_FAILED, f"routing:{event.pk}", reason, {"event": event.pk})


def _store(event: Event, kind: str, key: str, text: str, content: dict[str, Any]) -> None:
    now = timezone.now()
    draft = EventDraft(
        event_type=kind, dedup_key=key, provider_event_type=kind, direction="internal",
        source="live", text=text, occurred_at=now, conversation_ref=event.place,
        auto_generated=True, content=content, normalizer="omni.alerts@1")
    ingest.persist([Unit(
        instance_id=event.instance_id, provider=event.provider, drafts=[draft],
        received_at=now, caused_by_id=event.pk, trace_id=event.trace_id, hop=event.hop + 1)])
    notify.notifier.send(notify.EVENTS)
