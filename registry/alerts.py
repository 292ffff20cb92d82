"""System events: what went wrong in the engine is an event too, and can wake workflows."""

from django.utils import timezone

from connections.envelope import EventDraft
from events import ingest, notify
from registry.models import Run


def run_ended_badly(run: Run) -> None:
    """Store `system.run.dead` or `system.run.failed` for a run; once per run."""
    kind = "system.run.dead" if run.state == "dead" else "system.run.failed"
    now = timezone.now()
    draft = EventDraft(
        event_type=kind, dedup_key=f"run:{run.pk}:{run.state}", provider_event_type=kind,
        direction="internal", source="live", text=run.reason, occurred_at=now,
        conversation_ref=run.event.conversation_ref, auto_generated=True,
        content={"run": run.pk, "workflow": run.workflow.slug, "event": run.event_id,
                 "step": run.step_path, "code": run.code}, normalizer="omni.alerts@1")
    ingest.persist([ingest.Unit(
        instance_id=run.instance_id, provider=run.event.provider, drafts=[draft],
        received_at=now, caused_by_id=run.event_id, trace_id=run.event.trace_id,
        hop=run.event.hop + 1)])
    notify.notifier.send(notify.EVENTS)
