"""Between a match and its run: the run row, once per event and workflow, with its place in line.

`claim` is settled in matching; runs that send keep the order of their conversation.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from events.models import Event
from registry.matching import Effective

_INSERT = """
INSERT INTO omni_runs (instance_id, event_id, workflow_id, version_id, replay_no, inputs, state,
    reason, code, priority, ordering_key, available_at, lease_owner, token, deaths, step_path,
    allow_effects, deadline, created_at)
SELECT instance_id, event_id, workflow_id, version_id, 0, inputs, 'queued', '', '', priority,
    ordering_key, clock_timestamp(), '', 0, 0, '', true, deadline, clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS r(instance_id bigint, event_id bigint, workflow_id bigint,
    version_id bigint, inputs jsonb, priority int, ordering_key text, deadline timestamptz, n int)
ORDER BY n
ON CONFLICT (event_id, workflow_id, replay_no) DO NOTHING
RETURNING id, event_id, workflow_id
"""


def open_runs(matches: Sequence[tuple[Event, Effective]], *,
              now: datetime) -> dict[tuple[int, int], int]:
    """Queue one run per match: {(event id, workflow id): run id} of the new ones.

    An event that had a run of this workflow keeps that one, whatever was published since.
    """
    if not matches:
        return {}
    rows = [_row(event, effective, now) for event, effective in matches]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps([{**row, "n": n} for n, row in enumerate(rows)])])
        return {(event_id, workflow_id): run_id
                for run_id, event_id, workflow_id in cursor.fetchall()}


def _row(event: Event, effective: Effective, now: datetime) -> dict[str, Any]:
    return {"instance_id": event.instance_id, "event_id": event.pk,
            "workflow_id": effective.workflow_id, "version_id": effective.version_id,
            "inputs": dict(effective.inputs), "priority": effective.priority,
            "ordering_key": ordering_key(event, effective),
            "deadline": (now + timedelta(seconds=effective.definition.timeout)).isoformat()}


def ordering_key(event: Event, effective: Effective) -> str | None:
    """Runs of one workflow that send go one after the other within a conversation."""
    if not effective.definition.sends or event.conversation_id is None:
        return None
    return f"{effective.workflow_id}:conversation:{event.conversation_id}"
