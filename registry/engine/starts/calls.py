"""Runs that a `call` step starts: a workflow by its name, on the caller's event.

What is switched on for the instance decides version and inputs; a workflow that is not switched on
anywhere runs its newest version. The gates of a called workflow do not apply, but its slot does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from connections.storable import storable_json
from events.store import notify
from omni.errors import InvalidInput
from registry.engine.route import gates, matching
from registry.engine.waits.waiting import Wait
from registry.engine.work import queue
from registry.models import Run, Workflow

MAX_DEPTH = 10
_INSERT = """
INSERT INTO omni_runs (instance_id, event_id, workflow_id, version_id, replay_no, inputs, state,
    reason, code, priority, slot_key, slot_limit, batch, available_at, lease_owner, token, deaths,
    step_path, deadline, parent_id, parent_path, parent_iteration, depth, progress, created_at)
SELECT instance_id, event_id, workflow_id, version_id, 0, inputs,
    CASE WHEN due > omni_now() THEN 'waiting' ELSE 'queued' END, '', '', priority,
    slot_key, slot_limit, '[]', coalesce(due, omni_now()), '', 0, 0, '',
    least(latest, coalesce(due, omni_now()) + timeout * interval '1 second'), parent_id,
    parent_path, parent_iteration, depth, '{}', omni_now()
FROM jsonb_to_recordset(%s::jsonb) AS r(instance_id bigint, event_id bigint, workflow_id bigint,
    version_id bigint, inputs jsonb, priority int, slot_key text, slot_limit int,
    timeout float, latest timestamptz, due timestamptz, parent_id bigint, parent_path text,
    parent_iteration text, depth int)
ON CONFLICT (parent_id, parent_path, parent_iteration) WHERE parent_id IS NOT NULL DO NOTHING
"""
_ID = """
SELECT id FROM omni_runs WHERE parent_id = %s AND parent_path = %s AND parent_iteration = %s
"""


@dataclass(frozen=True, slots=True)
class Child:
    """A run about to be stored."""

    row: dict[str, Any]

    @property
    def slot_key(self) -> str | None:
        return self.row["slot_key"]


def trouble(run: Run, slug: str) -> str:
    """Why a run cannot call a workflow, "" when it can."""
    if run.depth >= MAX_DEPTH:
        return (f"'{slug}' would be call number {run.depth + 1} below one event; "
                f"{MAX_DEPTH} are most")
    workflow = Workflow.objects.filter(slug=slug, archived_at=None).first()
    if workflow is None:
        return f"there is no workflow '{slug}'"
    if workflow.latest() is None:
        return f"workflow '{slug}' has no published version; publish it first"
    return ""


def plan(run: Run, waits: Sequence[Wait]) -> list[Child]:
    """The runs that the call steps of a run start."""
    return [_child(run, wait.path, wait.iteration, wait.facts["workflow"], wait.facts["inputs"])
            for wait in waits]


def start(children: Sequence[Child]) -> None:
    """Store them; the caller holds their slots. A step's run is there once."""
    if children:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [storable_json([child.row for child in children])])


def detached(run: Run, path: str, iteration: str, slug: str, inputs: dict[str, Any], *,
             due: datetime | None = None) -> int:
    """Start a workflow that nobody waits for; the id of its run, the same one on every walk.

    due: not before this time; its own time to live begins then.
    """
    child = _child(run, path, iteration, slug, inputs, due=due)
    with transaction.atomic():
        queue.lock_slots([child.slot_key])
        start([child])
        with connection.cursor() as cursor:
            cursor.execute(_ID, [run.pk, path, iteration])
            run_id = cursor.fetchone()[0]
    notify.notifier.send(notify.WORK)
    return run_id


def _child(run: Run, path: str, iteration: str, slug: str, inputs: dict[str, Any], *,
           due: datetime | None = None) -> Child:
    instance, event = run.instance, run.event
    effective = matching.table().find(slug, instance.pk, instance.provider)
    if effective is not None:
        workflow_id, version_id = effective.workflow_id, effective.version_id
        definition, given = effective.definition, {**effective.inputs, **inputs}
        priority = effective.priority
    else:
        workflow = Workflow.objects.get(slug=slug)
        version = workflow.latest()
        if version is None:
            raise InvalidInput(f"workflow '{slug}' has no published version; publish it first")
        definition = matching.compiled(version.pk, version.text)
        workflow_id, version_id, priority = workflow.pk, version.pk, definition.priority
        given = {**{name: item.default for name, item in definition.inputs.items()}, **inputs}
    slot = gates.slot_of(workflow_id, definition, event, given)
    return Child({
        "instance_id": instance.pk, "event_id": event.pk, "workflow_id": workflow_id,
        "version_id": version_id, "inputs": given, "priority": priority,
        "slot_key": slot[0], "slot_limit": slot[1], "parent_id": run.pk, "parent_path": path,
        "parent_iteration": iteration, "depth": run.depth + 1,
        # It ends with its caller at the latest; one that starts later has its own time.
        "due": due, "timeout": definition.timeout, "latest": None if due else run.deadline})
