"""A run once more, by hand: whole, from the step that failed, or with chosen steps done again.

What is not done again is read from the outcomes of the first run, which are copied. Every effect
of a step that is done again happens again: `plan` lists them before anybody says yes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from actions import library
from events.models import EventAction, OutboxMessage
from events.store import notify, outcomes
from events.store.put_aside import put_aside
from omni import audit
from omni.errors import InvalidInput, UnknownAction
from registry.engine.work import queue
from registry.expressions import names
from registry.models import Run
from registry.models.run import FAILED

MODES = ("whole", "from_failed", "steps")
_KEPT = ("done", "skipped")  # outcomes a rerun may read instead of doing the step


@dataclass(frozen=True, slots=True)
class Again:
    """One step that would be done again. effects: write or send; sent: what it sent before."""

    path: str
    iteration: str
    step_id: str
    action: str
    effects: str
    status: str
    sent: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(run: Run, *, mode: str = "whole", steps: Sequence[str] = ()) -> list[Again]:
    """The steps of a run whose effects would happen again.

    steps: ids or paths, for the mode `steps`; what lies inside a chosen step is done again with
    it. Raises InvalidInput for a run that has not ended, a mode that is none, an unknown step.
    """
    return [_again(row) for row in _redone(run, mode, steps)
            if _effects(row.action) in ("write", "send") or row.step_kind == "call"]


@transaction.atomic
def rerun(run: Run, *, actor: str, mode: str = "whole", steps: Sequence[str] = ()) -> Run:
    """Queue the same workflow version on the same event again; raises as `plan` does."""
    redone = {row.pk for row in _redone(run, mode, steps)}
    queue.lock_slots([run.slot_key, f"{run.workflow_id}:rerun:{run.event_id}"])
    last = Run.objects.filter(
        event=run.event_id, workflow=run.workflow_id, parent=None).order_by("-replay_no").first()
    now = queue.now()
    fresh = Run.objects.create(
        instance_id=run.instance_id, event_id=run.event_id, workflow_id=run.workflow_id,
        version_id=run.version_id, replay_no=(last.replay_no if last else 0) + 1,
        inputs=run.inputs, priority=run.priority, slot_key=run.slot_key,
        slot_limit=run.slot_limit, batch=run.batch, available_at=now, created_at=now,
        rerun_of=run, deadline=now + _life(run))
    fresh.refresh_from_db(fields=["state"])  # it may have to stand in line
    if mode != "whole":
        outcomes.copy([row for row in _rows(run) if row.pk not in redone
                       and row.final and row.status in _KEPT], to_run=fresh.pk)
    audit.note(actor, "run.rerun", f"run:{run.pk}", new_run=fresh.pk, mode=mode,
               steps=list(steps))
    if run.state in FAILED:
        put_aside("run", [run.pk], actor=actor, note=f"repeated by run {fresh.pk}")
    notify.notifier.send(notify.RUNS, str(fresh.pk))
    notify.notifier.send(notify.WORK)
    return fresh


def _redone(run: Run, mode: str, steps: Sequence[str]) -> list[EventAction]:
    if run.state not in ("done", "ignored", "failed", "dead", "canceled"):
        raise InvalidInput(f"run {run.pk} has not ended yet", code="stale")
    if mode not in MODES:
        raise InvalidInput(f"mode must be one of {', '.join(MODES)}, not '{mode}'")
    rows = _rows(run)
    if mode == "whole":
        return rows
    if mode == "from_failed":
        first = next((row for row in rows if row.final and row.status not in _KEPT), None)
        if first is None:
            raise InvalidInput(f"no step of run {run.pk} failed; rerun it whole", code="stale")
        return [row for row in rows if row.pk >= first.pk]
    if not steps:
        raise InvalidInput("name the steps to do again, by id or path", details={
            "steps": "needed for the mode 'steps'"})
    known = {row.step_id for row in rows if row.step_id} | {row.path for row in rows}
    unknown = {f"steps.{name}": f"run {run.pk} has no step '{name}'"
               + (f"; did you mean '{near}'?" if (near := names.nearest(name, known)) else "")
               for name in steps if name not in known}
    if unknown:
        raise InvalidInput("; ".join(unknown.values()), details=unknown)
    chosen = {row.path for row in rows if row.step_id in steps or row.path in steps}
    return [row for row in rows
            if any(row.path == path or row.path.startswith((f"{path}.", f"{path}["))
                   for path in chosen)]


def _rows(run: Run) -> list[EventAction]:
    return outcomes.recorded(run.pk)


def _again(row: EventAction) -> Again:
    turn = f"@{row.iteration}" if row.iteration else ""
    key = f"omni:{row.run_id}:{row.path}{turn}:"
    sent = OutboxMessage.objects.filter(run_id=row.run_id, effect_key__startswith=key)
    return Again(row.path, row.iteration, row.step_id, row.action,
                 _effects(row.action) or row.step_kind, row.status,
                 [{"kind": one.kind, "recipient": one.recipient, "state": one.state}
                  for one in sent.order_by("id")])


def _effects(action_id: str) -> str:
    if not action_id:
        return ""
    try:
        return library.get(action_id).effects
    except UnknownAction:
        return "write"  # it is not there any more: say so rather than hide it


def _life(run: Run) -> timedelta:
    """As long as the first run was given."""
    given = (run.deadline - run.created_at) if run.deadline else timedelta(days=30)
    return max(given, timedelta(minutes=1))
