"""Reads what is to be routed: the next events of every account, with all that routing asks of them.

One statement for a batch: the events with their places and people as they are now, the database's
clock, and whether anything waits for an event at all.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models

from connections.models import by_id
from events.models import Contact, Conversation, Event
from events.outbox import echoes
from omni import statements
from omni.config import revision

BATCH = 100


class _Columns:
    """The columns of a model in a joined row."""

    def __init__(self, model: type[models.Model], alias: str) -> None:
        fields = model._meta.concrete_fields
        self._model, self._names = model, [item.attname for item in fields]
        self._json = [number for number, item in enumerate(fields)
                      if isinstance(item, models.JSONField)]
        self.sql = ", ".join(f'{alias}."{item.column}"' for item in fields)
        self.count = len(fields)

    def row(self, values: Sequence[Any]) -> Any:
        """The row, None where the join found none."""
        if values[0] is None:
            return None
        cells = list(values)
        for number in self._json:
            if cells[number] is not None:
                cells[number] = json.loads(cells[number])
        return self._model.from_db("default", self._names, cells)


_ID = 4  # of an event in a row of `_ROWS`
_EVENT, _PLACE, _PERSON = _Columns(Event, "e"), _Columns(Conversation, "k"), _Columns(Contact, "c")
_ROWS = f"""
SELECT omni_now(), {revision.NUMBER}, EXISTS (SELECT 1 FROM omni_waits WHERE state = 'open'
                           AND kind IN ('event', 'cancel')),
    ARRAY(SELECT m.id FROM omni_conversations m WHERE m.merged_into_id = k.id ORDER BY m.id),
    {_EVENT.sql}, {_PLACE.sql}, {_PERSON.sql}
FROM next JOIN omni_events e ON e.id = next.event_id
LEFT JOIN omni_conversations p ON p.id = e.conversation_id
LEFT JOIN omni_conversations k ON k.id = coalesce(p.merged_into_id, p.id)
LEFT JOIN omni_contacts w ON w.id = e.contact_id
LEFT JOIN omni_contacts c ON c.id = coalesce(w.merged_into_id, w.id)
WHERE e.routed_at IS NULL
ORDER BY e.id FOR NO KEY UPDATE OF e SKIP LOCKED
"""
# The first of every account before the second of any: a flood holds nobody up but itself.
_NEXT = f"""
WITH RECURSIVE owners(instance_id) AS (
    (SELECT instance_id FROM omni_inbox ORDER BY instance_id LIMIT 1)
    UNION ALL
    SELECT n.instance_id FROM owners o CROSS JOIN LATERAL (
        SELECT i.instance_id FROM omni_inbox i WHERE i.instance_id > o.instance_id
        ORDER BY i.instance_id LIMIT 1) n),
line AS (
    SELECT f.event_id, row_number() OVER (PARTITION BY o.instance_id ORDER BY f.event_id) AS n
    FROM owners o CROSS JOIN LATERAL (
        SELECT i.event_id FROM omni_inbox i JOIN omni_events e ON e.id = i.event_id
        WHERE i.instance_id = o.instance_id AND NOT {echoes.HELD}
        ORDER BY i.event_id LIMIT %s::int) f),
next AS MATERIALIZED (SELECT event_id FROM line ORDER BY n, event_id LIMIT %s::int)
{_ROWS}
"""
_THIS = f"""
WITH next AS MATERIALIZED (
    SELECT i.event_id FROM omni_inbox i JOIN omni_events e ON e.id = i.event_id
    WHERE i.event_id = %s::bigint AND NOT {echoes.HELD})
{_ROWS}
"""

@dataclass(slots=True)
class Batch:
    """events: in the order of their ids. settled: runs whose send an echo settled just now.

    now: the database's clock. has_waits: whether anything waits for an event.
    """

    events: list[Event] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)
    now: datetime | None = None
    has_waits: bool = False


def take(limit: int = BATCH, *, only: int | None = None) -> Batch:
    """The events to route now, held until the caller's transaction ends; echoes are known as ours.
    One that somebody else holds is left for the next look.

    only: this event alone, with a savepoint around what may break the transaction.
    """
    asked_at = time.monotonic()
    rows = statements.execute(_NEXT, [limit, limit]) if only is None else statements.execute(
        _THIS, [only])
    if not rows:
        return Batch()
    revision.seen(rows[0][1], asked_at=asked_at)  # what was changed before they arrived counts
    events = [_event(row[3:]) for row in rows]
    recognized = echoes.recognize(events, careful=only is not None)
    return Batch(recognized.events, recognized.runs, rows[0][0], rows[0][2])


def waiting(limit: int) -> list[int]:
    """Ids of the events that `take` would look at."""
    return [row[_ID] for row in statements.execute(_NEXT, [limit, limit])]


def _event(row: Sequence[Any]) -> Event:
    """An event with its instance, its place and its person, as they stand now."""
    event: Event = _EVENT.row(row[1:1 + _EVENT.count])
    event.instance = by_id(event.instance_id)
    place = _PLACE.row(row[1 + _EVENT.count:1 + _EVENT.count + _PLACE.count])
    if place is not None:
        place.former_ids = row[0]
    event.conversation = place
    event.contact = _PERSON.row(row[1 + _EVENT.count + _PLACE.count:])
    return event
