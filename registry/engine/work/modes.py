"""Pausing a workflow, letting it drain, and letting it go on.

Paused: events still open runs, which stand in line; a run at work finishes its turn, and nothing
is claimed until it is on again. Draining: no new runs, live ones go on to their end. Deadlines and
approvals go on in both.
"""

from django.db import transaction
from django.db.models import Count

from events.store import notify
from omni import audit
from omni.errors import InvalidInput
from registry.engine.work import lines
from registry.models import Run, Workflow
from registry.models.run import LIVE

VERBS = {"pause": "paused", "drain": "draining", "resume": "on"}


def set_mode(workflow: Workflow, mode: str, *, actor: str) -> dict[str, int]:
    """Set a workflow's mode; its live runs by state. Workers notice within a second.

    Raises InvalidInput for a mode that is none.
    """
    if mode not in dict(Workflow.MODES):
        raise InvalidInput(f"mode must be one of {', '.join(dict(Workflow.MODES))}, not '{mode}'")
    with transaction.atomic():
        stored = Workflow.objects.select_for_update().get(pk=workflow.pk)
        if stored.mode != mode:
            stored.mode = mode
            stored.revision += 1
            stored.save(update_fields=["mode", "revision", "updated_at"])
            audit.note(actor, f"workflow.{mode}", stored.slug)
    workflow.refresh_from_db()
    transaction.on_commit(lambda: _move(workflow.pk, mode))
    return live_runs(workflow)


def _move(workflow_id: int, mode: str) -> None:
    if mode == "paused":
        lines.hold_back(workflow_id)
    elif lines.let_on(workflow_id):
        notify.notifier.send(notify.WORK)


def live_runs(workflow: Workflow) -> dict[str, int]:
    """How many runs have not ended: {queued, blocked, running, waiting}."""
    counted = dict(Run.objects.filter(workflow=workflow).live().order_by().values_list(
        "state").annotate(Count("pk")))
    return {state: counted.get(state, 0) for state in LIVE}
