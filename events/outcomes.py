"""The only writer of `omni_event_actions`: what each step and attempt came to."""

from collections.abc import Iterable

from django.db import connection

from events.models import EventAction
from events.storable import storable_json

_TYPES = {
    "instance_id": "bigint", "event_id": "bigint", "run_id": "bigint", "workflow": "text",
    "path": "text", "iteration": "text", "attempt": "int", "step_id": "text", "step_kind": "text",
    "action": "text", "status": "text", "code": "text", "reason": "text", "input": "jsonb",
    "output": "jsonb", "final": "bool", "token": "int", "started_at": "timestamptz",
    "ended_at": "timestamptz", "duration_ms": "float"}
_INSERT = f"""
INSERT INTO omni_event_actions ({", ".join(_TYPES)})
SELECT {", ".join(_TYPES)} FROM jsonb_to_recordset(%s::jsonb)
       AS r({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())}, n int)
ORDER BY n
"""


def record(rows: Iterable[EventAction]) -> None:
    """Append outcomes in one statement.

    A row for a step that is already there is an error of the engine (IntegrityError): the fencing
    token is checked by the caller in the same transaction.
    """
    lines = [{**{name: getattr(row, name) for name in _TYPES}, "n": number,
              "started_at": row.started_at.isoformat(), "ended_at": row.ended_at.isoformat()}
             for number, row in enumerate(rows)]
    if lines:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [storable_json(lines)])


def recorded(run_id: int) -> list[EventAction]:
    """A run's outcomes so far, in order."""
    return list(EventAction.objects.filter(run_id=run_id).in_order())
