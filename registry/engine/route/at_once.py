"""Runs that end where they are opened: the workflow's first step stops it, whatever the event is.

What the account itself sends is such a case (`ignore-self`), so half of all events cost no run of
a worker.
"""

from datetime import datetime
from typing import Any

from registry.engine.route.gates import Passage
from registry.engine.run.contract import Ended
from registry.engine.run.steps.stop import ended
from registry.language.definition import Definition, StopBody


def end_of(passage: Passage) -> Ended | None:
    """How the run ends, None when somebody has to walk it."""
    definition, said = passage.effective.definition, passage.said
    if said is None or said.waits or said.cancels or not _stops(definition):
        return None
    if passage.effective.mode == "paused":
        return None
    return ended(definition.steps[0], {})


def outcome_row(passage: Passage, end: Ended, now: datetime) -> dict[str, Any]:
    """The outcome of the only step, for `events.store.outcomes.OF_RUNS`."""
    event, definition = passage.event, passage.effective.definition
    step = definition.steps[0]
    return {
        "instance_id": event.instance_id, "event_id": event.pk,
        "workflow_id": passage.effective.workflow_id, "workflow": definition.id, "path": step.path,
        "iteration": "", "attempt": 1, "step_id": step.id or "", "step_kind": step.kind,
        "action": "", "status": "done", "code": end.code, "reason": end.reason, "input": None,
        "output": {"state": end.state}, "final": True, "token": 1, "started_at": now,
        "ended_at": now, "duration_ms": 0.0}


def _stops(definition: Definition) -> bool:
    """Whether the first step ends every run well, with a reason that is the same for all."""
    step = definition.steps[0]
    body = step.body
    return (isinstance(body, StopBody) and step.condition is None and body.status != "failed"
            and (body.reason is None or body.reason.literal) and not definition.vars.source
            and not definition.cancel_on)
