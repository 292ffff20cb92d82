"""The only writer of `omni_event_actions`: what each step and attempt came to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from connections.storable import storable_json
from events.models import EventAction
from omni import statements

_TYPES = {
    "instance_id": "bigint", "event_id": "bigint", "run_id": "bigint", "workflow": "text",
    "path": "text", "iteration": "text", "attempt": "int", "step_id": "text", "step_kind": "text",
    "action": "text", "status": "text", "code": "text", "reason": "text", "input": "jsonb",
    "output": "jsonb", "final": "bool", "token": "int", "started_at": "timestamptz",
    "ended_at": "timestamptz", "duration_ms": "float"}
_ROWS = (f"FROM jsonb_to_recordset(%s::jsonb) AS r("
         f"{', '.join(f'{name} {kind}' for name, kind in _TYPES.items())}, n int)")
_INTO = f"INSERT INTO omni_event_actions ({', '.join(_TYPES)}) SELECT {', '.join(_TYPES)} {_ROWS}"
_INSERT = f"{_INTO} ORDER BY n"
# Outcomes of runs that are stored in the same statement, as `opened` (id, event_id, workflow_id).
OF_RUNS = f"""
INSERT INTO omni_event_actions ({', '.join(_TYPES)})
SELECT {', '.join('opened.id' if name == 'run_id' else f'r.{name}' for name in _TYPES)}
FROM {{rows}} AS r(workflow_id bigint, {', '.join(
    f'{name} {kind}' for name, kind in _TYPES.items() if name != 'run_id')})
JOIN opened ON opened.event_id = r.event_id AND opened.workflow_id = r.workflow_id
"""
# Two parts of a WITH: `held` is the row that `update` changes, and guards the outcomes (`as_json`).
BEHIND = f"""held AS ({{update}} RETURNING 1),
    kept AS ({_INTO} WHERE EXISTS (SELECT 1 FROM held) ORDER BY n RETURNING 1)"""
_BEHIND = f"WITH {BEHIND} SELECT count(*) FROM held"


def record(rows: Iterable[EventAction]) -> None:
    """Append outcomes in one statement.

    A row for a step that is already there is an error of the engine (IntegrityError): the fencing
    token is checked by the caller in the same transaction.
    """
    lines = _lines(rows)
    if lines:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [storable_json(lines)])


def record_behind(update: str, values: Sequence[Any], rows: Iterable[EventAction]) -> bool:
    """Append outcomes only if `update` changes a row, all in one statement; whether it did.

    update: an UPDATE without RETURNING, with its values, each cast; it guards the outcomes.
    """
    [(held,)] = statements.execute(_BEHIND.format(update=update),
                                   [*values, as_json(rows)])
    return held == 1


def as_json(rows: Iterable[EventAction]) -> str:
    """The parameter of an insert of outcomes, as of `BEHIND`."""
    return storable_json(_lines(rows))


def _lines(rows: Iterable[EventAction]) -> list[dict[str, Any]]:
    return [{**{name: getattr(row, name) for name in _TYPES}, "n": number,
             "started_at": row.started_at.isoformat(), "ended_at": row.ended_at.isoformat()}
            for number, row in enumerate(rows)]


def copy(rows: Iterable[EventAction], *, to_run: int) -> None:
    """Give another run of the same event these outcomes, as if it had come to them itself."""
    record([EventAction(**{name: getattr(row, name) for name in _TYPES if name != "run_id"},
                        run_id=to_run) for row in rows])


def recorded(run_id: int, *, behind: Mapping[str, int] | None = None) -> list[EventAction]:
    """A run's outcomes so far, in order.

    behind: {path: turn} of loops; what lies below such a path is left out for earlier turns.
    """
    rows = EventAction.objects.filter(run_id=run_id)
    for path, turn in (behind or {}).items():
        rows = rows.extra(where=["NOT (starts_with(path, %s) AND "
                                 "split_part(iteration, '.', 1)::int < %s)"],
                          params=[f"{path}.", turn])
    return list(rows.in_order())
