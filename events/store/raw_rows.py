"""Writes the archive rows of a batch: a new body once, a known body counted on its first copy."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.db import connection

from connections.storable import storable_json
from events.store.archive import RawRow
from events.store.units import Stored, Unit
from omni import statements

_NEXT_IDS = "SELECT nextval('omni_raw_payloads_id_seq') FROM generate_series(1, %s::bigint)"
_RAW_NAMES = ("received_at", "instance_id", "provider", "method", "path", "query", "headers",
              "content_type", "size_bytes", "sha256", "redacted", "flags", "transport",
              "verified_by", "event_count", "quarantine_reason", "quarantine_detail")
_RAW_TYPED = ("received_at timestamptz, instance_id bigint, provider text, method text, "
              "path text, query text, headers jsonb, content_type text, size_bytes int, "
              "sha256 text, redacted bool, flags jsonb, transport text, verified_by text, "
              "event_count int, quarantine_reason text, quarantine_detail text")
_values = attrgetter(*_RAW_NAMES)
TYPED = _RAW_TYPED + ", times int, n int"
# rows: those of TYPED as `r`, with an `id`. Bodies are a parameter of their own, in the order of n.
INSERT = f"""
INSERT INTO omni_raw_payloads (id, {", ".join(_RAW_NAMES)}, body, last_seen_at, deliveries)
SELECT r.id, {", ".join("r." + name for name in _RAW_NAMES)}, b.body, r.received_at, r.times
FROM {{rows}} JOIN unnest(%s::bytea[]) WITH ORDINALITY AS b(body, n) ON b.n = r.n
"""
_INSERT_RAW = INSERT.format(rows=f"jsonb_to_recordset(%s::jsonb) AS r(id bigint, {TYPED})")
_SEEN_AGAIN = """
UPDATE omni_raw_payloads p SET deliveries = p.deliveries + w.times, last_seen_at = now()
FROM (SELECT held.id, held.received_at, w.times
      FROM jsonb_to_recordset(%s::jsonb) AS w(sha256 text, instance_id bigint, times int)
      CROSS JOIN LATERAL (
          SELECT q.id, q.received_at FROM omni_raw_payloads q
          WHERE q.sha256 = w.sha256 AND q.instance_id = w.instance_id ORDER BY q.id LIMIT 1) first
      JOIN omni_raw_payloads held ON held.id = first.id AND held.received_at = first.received_at
      ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE p.id = w.id AND p.received_at = w.received_at
RETURNING p.id, p.sha256, p.instance_id
"""


def number(units: Sequence[Unit]) -> None:
    """Give every archive row its number before the events that name it."""
    kept = [unit.raw for unit in units if unit.raw is not None]
    if not kept:
        return
    numbers = statements.execute(_NEXT_IDS, [len(kept)])
    for raw, (number,) in zip(kept, numbers, strict=True):
        raw.id = number


def store(units: Sequence[Unit], stored: list[Stored]) -> None:
    """Archive every body that is new or said something new; count the others on the first copy."""
    archived: dict[tuple[str, int], int] = {}  # body -> unit whose row holds it
    times: dict[int, int] = {}  # unit -> how often its body came in this batch
    repeats: dict[tuple[str, int], list[int]] = {}  # body -> units that brought no new event
    for index, (unit, result) in enumerate(zip(units, stored, strict=True)):
        if unit.raw is None:
            continue
        body = (unit.raw.sha256, unit.instance_id)
        if result.event_ids:
            archived.setdefault(body, index)
            times[index] = 1
            unit.raw.event_count = len(result.event_ids)
        else:
            repeats.setdefault(body, []).append(index)
    seen = _count_again({body: len(indexes) for body, indexes in repeats.items()
                         if body not in archived})
    for body, indexes in repeats.items():
        if body not in archived and body not in seen:
            archived[body] = indexes[0]
            times[indexes[0]] = 0
        for index in indexes:
            if body in seen:
                stored[index].raw_id, stored[index].duplicate = seen[body], True
                continue
            first = archived[body]
            times[first] += 1
            stored[index].raw_id = units[first].raw.id
            stored[index].duplicate = index != first or bool(stored[index].known_ids)
    _insert([(units[index].raw, count) for index, count in sorted(times.items())])


def _count_again(again: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Count known bodies once more; returns the archive rows they are in."""
    if not again:
        return {}
    lines = [{"sha256": sha, "instance_id": instance, "times": times}
             for (sha, instance), times in sorted(again.items())]
    with connection.cursor() as cursor:
        cursor.execute(_SEEN_AGAIN, [storable_json(lines)])
        return {(sha, instance): number for number, sha, instance in cursor.fetchall()}


def _insert(rows: list[tuple[RawRow, int]]) -> None:
    if not rows:
        return
    lines = [{**of(raw, times=times, n=number), "id": raw.id}
             for number, (raw, times) in enumerate(rows, start=1)]
    statements.execute(_INSERT_RAW, [storable_json(lines), [raw.body for raw, _ in rows]])


def of(raw: RawRow, *, times: int, n: int) -> dict[str, Any]:
    """The row of one delivery but for its id and body, JSON-ready. times: how often it came."""
    row: dict[str, Any] = dict(zip(_RAW_NAMES, _values(raw), strict=True))
    row.update(received_at=raw.received_at.isoformat(), times=times, n=n)
    return row
