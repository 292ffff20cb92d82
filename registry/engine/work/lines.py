"""Runs in line: those of a paused workflow are put there, and go on when it is on again.

The lines of slots keep themselves (migration 0008); `mend` is the net below both, for a process
that died between changing a workflow's mode and moving its runs.
"""

from django.db import transaction

from omni import statements
from registry.engine.work import queue

BATCH = 500
_QUEUED = """
SELECT id, slot_key FROM omni_runs WHERE workflow_id = %s::bigint AND state = 'queued'
ORDER BY id LIMIT %s::int
"""
_HOLD_BACK = """
UPDATE omni_runs r SET state = 'blocked' FROM omni_workflows w
WHERE w.id = r.workflow_id AND w.mode = 'paused' AND r.state = 'queued'
    AND r.id = ANY(%s::bigint[])
RETURNING r.id
"""
_LET_ON = """
UPDATE omni_runs r SET state = 'queued' WHERE r.id = ANY(ARRAY(
    SELECT b.id FROM omni_runs b JOIN omni_workflows w ON w.id = b.workflow_id
    WHERE b.workflow_id = %s::bigint AND b.state = 'blocked' AND b.slot_key IS NULL
      AND w.mode <> 'paused' LIMIT %s::int FOR UPDATE OF b SKIP LOCKED))
RETURNING r.id
"""
_KEYS = """
WITH RECURSIVE lines(slot_key) AS (
    (SELECT slot_key FROM omni_runs WHERE workflow_id = %s::bigint AND state = 'blocked'
     AND slot_key IS NOT NULL ORDER BY slot_key LIMIT 1)
    UNION ALL
    SELECT (SELECT b.slot_key FROM omni_runs b WHERE b.workflow_id = %s::bigint
            AND b.state = 'blocked' AND b.slot_key > l.slot_key ORDER BY b.slot_key LIMIT 1)
    FROM lines l WHERE l.slot_key IS NOT NULL)
SELECT slot_key FROM lines WHERE slot_key IS NOT NULL
"""
_NEXT = "SELECT omni_next_in_line(key) FROM unnest(%s::text[]) AS key"
_WORKFLOWS = """
WITH RECURSIVE of(workflow_id) AS (
    (SELECT workflow_id FROM omni_runs WHERE state = 'blocked' ORDER BY workflow_id LIMIT 1)
    UNION ALL
    SELECT (SELECT b.workflow_id FROM omni_runs b WHERE b.state = 'blocked'
            AND b.workflow_id > o.workflow_id ORDER BY b.workflow_id LIMIT 1)
    FROM of o WHERE o.workflow_id IS NOT NULL)
SELECT workflow_id FROM of JOIN omni_workflows w ON w.id = of.workflow_id WHERE w.mode <> 'paused'
"""


def hold_back(workflow_id: int) -> None:
    """Put the queued runs of a paused workflow in line; one that is claimed meanwhile is, too."""
    while True:
        with transaction.atomic():
            rows = statements.execute(_QUEUED, [workflow_id, BATCH])
            queue.lock_slots(key for _, key in rows)
            if not rows or not statements.execute(_HOLD_BACK, [[run_id for run_id, _ in rows]]):
                return


def let_on(workflow_id: int) -> int:
    """Let the runs in line of a workflow that is on go as far as its slots have room; how many."""
    moved = 0
    while taken := statements.execute(_LET_ON, [workflow_id, BATCH]):
        moved += len(taken)
    keys = [key for (key,) in statements.execute(_KEYS, [workflow_id, workflow_id])]
    for first in range(0, len(keys), BATCH):
        with transaction.atomic():
            queue.lock_slots(keys[first:first + BATCH])
            moved += len(statements.execute(_NEXT, [keys[first:first + BATCH]]))
    return moved


def mend() -> int:
    """Let on whatever stands in line for no reason; how many runs."""
    return sum(let_on(workflow_id) for (workflow_id,) in statements.execute(_WORKFLOWS))
