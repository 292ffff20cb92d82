"""The only writer of `omni_waits`: what runs wait for, and the events that settle it.

An event and a wait for it may become visible at the same time. Routing looks for the waits of each
event; after a wait was committed, `look` searches the events that came before it could be seen. So
one of the two always finds the other. Settling twice changes nothing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from connections.storable import storable_json
from events.models import Event
from registry.engine.run import scope
from registry.engine.run.contract import Place
from registry.engine.waits import alternates, waiting
from registry.engine.work import queue
from registry.models import Wait

LOOK_BATCH = 50
LOOK_EVENTS = 5_000  # most that are searched for one wait
SHOWN = ("id", "event_type", "direction", "text", "sender_name", "contact_handle", "contact_id",
         "conversation_id", "conversation_ref", "provider_message_id", "target_message_id",
         "media_kind", "content", "occurred_at", "from_me")
_INSERT = """
INSERT INTO omni_waits (run_id, instance_id, path, iteration, kind, state, wake_at, event_types,
    fields, match_hash, "where", since_id, looked, facts, created_at)
SELECT run_id, instance_id, path, iteration, kind, 'open', wake_at, event_types, fields,
    match_hash, "where", since_id, kind NOT IN ('event', 'cancel'), facts,
    omni_now()
FROM jsonb_to_recordset(%s::jsonb) AS w(run_id bigint, instance_id bigint, path text,
    iteration text, kind text, wake_at timestamptz, event_types jsonb, fields text,
    match_hash text, "where" text, since_id bigint, facts jsonb)
ON CONFLICT (run_id, path, iteration) DO NOTHING
RETURNING id, run_id, path, iteration
"""
_FIELD_SETS = """
WITH RECURSIVE sets AS (
    (SELECT fields FROM omni_waits WHERE state = 'open' AND kind IN ('event', 'cancel')
     ORDER BY fields LIMIT 1)
    UNION ALL
    SELECT (SELECT w.fields FROM omni_waits w WHERE w.state = 'open'
            AND w.kind IN ('event', 'cancel') AND w.fields > sets.fields
            ORDER BY w.fields LIMIT 1)
    FROM sets WHERE sets.fields IS NOT NULL)
SELECT fields FROM sets WHERE fields IS NOT NULL
"""
_FOUND = """
SELECT w.id, w.run_id, w.instance_id, w.kind, w.event_types, w.fields, w.match_hash, w."where",
       w.facts, w.since_id, w.path, r.event_id, r.batch, r.slot_key
FROM omni_waits w JOIN omni_runs r ON r.id = w.run_id
WHERE w.state = 'open' AND {which} ORDER BY w.id
"""
_FOUND_BY_HASH = _FOUND.format(which=(
    "w.kind IN ('event', 'cancel') AND (w.instance_id, w.match_hash) IN "
    "(SELECT * FROM unnest(%s::bigint[], %s::text[]))"))
_FOUND_UNLOOKED = _FOUND.format(which="w.id = ANY(%s) AND NOT w.looked")


@dataclass(frozen=True, slots=True)
class Found:
    """An open wait for an event, with what is needed of its run."""

    id: int
    run_id: int
    instance_id: int
    kind: str
    event_types: tuple[str, ...]
    fields: str
    match_hash: str
    where: str
    facts: dict[str, Any]
    since_id: int
    path: str
    trigger_id: int
    batch: list[int]
    slot_key: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that is what somebody waits for."""

    wait: Found
    event: Event


def store(rows: Iterable[tuple[int, int, waiting.Wait]]) -> dict[tuple[int, str, str], int]:
    """Insert waits, given as (run id, instance id, wait): {(run, path, iteration): id} of new ones.
    """
    lines = [{"run_id": run_id, "instance_id": instance_id, "path": wait.path[:255],
              "iteration": wait.iteration[:64], "kind": wait.kind, "wake_at": wait.wake_at,
              "event_types": list(wait.event_types), "fields": wait.fields[:255],
              "match_hash": wait.match_hash, "where": wait.where, "since_id": wait.since_id,
              "facts": wait.facts} for run_id, instance_id, wait in rows]
    if not lines:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [storable_json(lines)])
        return {(run_id, path, iteration): id
                for id, run_id, path, iteration in cursor.fetchall()}


def of_run(run_id: int) -> dict[Place, waiting.Wait]:
    """What a run waits for, or was given, by step."""
    rows = Wait.objects.filter(run_id=run_id, state__in=("open", "settled")).exclude(kind="cancel")
    return {(row.path, row.iteration): waiting.Wait(
        row.path, row.iteration, row.kind, wake_at=row.wake_at, since_id=row.since_id,
        event_types=tuple(row.event_types), fields=row.fields, match_hash=row.match_hash,
        where=row.where, facts=row.facts, state=row.state, result=row.result) for row in rows}


def close(run_id: int, places: Sequence[Place]) -> None:
    """The run has what it waited for at these steps."""
    if places:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE omni_waits SET state = 'closed', ended_at = omni_now() "
                "WHERE run_id = %s AND state <> 'closed' AND (path, iteration) IN "
                "(SELECT * FROM unnest(%s::text[], %s::text[]))",
                [run_id, [path for path, _ in places], [turn for _, turn in places]])


def settled(run_id: int) -> bool:
    """Whether something the run waits for is there and not taken yet."""
    return Wait.objects.filter(run_id=run_id, state="settled").exists()


def settle(wait_id: int, result: dict[str, Any]) -> bool:
    """Give an open wait its result. The caller holds the run's row and wakes the run."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE omni_waits SET state = 'settled', result = %s::jsonb, "
                       "ended_at = omni_now(), looked = true WHERE id = %s AND state = 'open'",
                       [storable_json(result), wait_id])
        return cursor.rowcount == 1


def hold(run_ids: Iterable[int]) -> None:
    """Lock the rows of runs, in order: a run that is just being put to sleep is waited for."""
    wanted = sorted(set(run_ids))
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM omni_runs WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
                           [wanted])


def hits_of(events: Sequence[Event]) -> list[Hit]:
    """The open waits that these events settle; the first event counts for each."""
    with connection.cursor() as cursor:
        cursor.execute(_FIELD_SETS)
        sets = [row[0] for row in cursor.fetchall()]
        if not sets or not events:
            return []
        wanted: dict[tuple[int, str], list[Event]] = defaultdict(list)
        views = [scope.event_view(event) for event in events]
        same = alternates.of({name for fields in sets for name in fields.split(",")}, views)
        for event, view in zip(events, views, strict=True):
            for fields in sets:
                for digest in alternates.digests(waiting.pairs_of(view, fields), same):
                    wanted[(event.instance_id, digest)].append(event)
        cursor.execute(_FOUND_BY_HASH, [[key[0] for key in wanted], [key[1] for key in wanted]])
        found = [_found(row) for row in cursor.fetchall()]
    return [hit for wait in found
            if (hit := _first(wait, wanted[(wait.instance_id, wait.match_hash)]))]


def apply(hits: Sequence[Hit]) -> list[int]:
    """Settle what events settled and wake the runs; the ids of runs whose `cancel_on` was met.

    The caller holds the slots of the runs (`queue.lock_slots`), and ends the canceled ones.
    """
    hold(hit.wait.run_id for hit in hits)
    woken = [hit.wait.run_id for hit in hits if hit.wait.kind == "event"
             and settle(hit.wait.id, {"event": shown(hit.event)})]
    queue.wake(woken)
    return [hit.wait.run_id for hit in hits if hit.wait.kind == "cancel"]


def look(wait_ids: Sequence[int]) -> list[Hit]:
    """Search the store for events that came before these waits could be seen.

    Returns hits of any kind; the caller applies them, and marks the waits as looked for.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOUND_UNLOOKED, [list(wait_ids)])
        found = [_found(row) for row in cursor.fetchall()]
        return [hit for wait in found if (hit := _first(wait, _earlier(wait)))]


def unlooked(*, seconds: float) -> list[int]:
    """Waits whose worker died between committing and looking."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM omni_waits WHERE NOT looked AND created_at < omni_now() "
                       "- %s * interval '1 second' ORDER BY id LIMIT %s", [seconds, LOOK_BATCH])
        return [row[0] for row in cursor.fetchall()]


def shown(event: Event) -> dict[str, Any]:
    """What a workflow sees of the event its wait was settled by, as plain data."""
    return json.loads(storable_json({name: getattr(event, name) for name in SHOWN}))


def _found(row: tuple) -> Found:
    id, run_id, instance_id, kind, types, *rest = row
    return Found(id, run_id, instance_id, kind, tuple(plain(types)), rest[0], rest[1], rest[2],
                 plain(rest[3]), rest[4], rest[5], rest[6], plain(rest[7]), rest[8])


def plain(value: Any) -> Any:
    """JSON of a raw query as data: the driver gives it as text."""
    return json.loads(value) if isinstance(value, str) else value


def _first(wait: Found, events: Iterable[Event]) -> Hit | None:
    own, before = f"omni:{wait.run_id}:", wait.facts.get("before", ())
    for event in events:
        if (event.pk <= wait.since_id or event.pk in before or event.pk == wait.trigger_id
                or event.pk in wait.batch or (event.client_ref or "").startswith(own)):
            continue  # from before, the trigger itself, or what the run did
        if waiting.takes(wait.event_types, wait.where, wait.facts, event.event_type,
                         scope.of_event(event)):
            return Hit(wait, event)
    return None


def _earlier(wait: Found) -> Iterable[Event]:
    """Stored events since the wait counts, oldest first."""
    rows = Event.objects.filter(
        instance_id=wait.instance_id, pk__gt=wait.since_id).select_related(
            "conversation__merged_into", "contact__merged_into", "instance")
    pairs = wait.facts.get("pairs", {})
    place = pairs.get("conversation_id")
    if isinstance(place, int):
        rows = rows.of_conversation(place)
    accepted = {wait.match_hash, *alternates.digests(pairs, alternates.of(pairs, [pairs]))}
    for event in rows.order_by("id")[:LOOK_EVENTS]:
        if waiting.digest_of(scope.event_view(event), wait.fields) in accepted:
            event.take_kept()
            yield event


def look_and_apply(wait_ids: Sequence[int]) -> list[int]:
    """`look`, and settle what was found; the ids of runs whose `cancel_on` was met."""
    if not wait_ids:
        return []
    with transaction.atomic():
        hits = look(wait_ids)
        queue.lock_slots(hit.wait.slot_key for hit in hits)
        canceled = apply(hits)
        with connection.cursor() as cursor:  # last: whoever holds a wait waits for no place in line
            cursor.execute("UPDATE omni_waits SET looked = true WHERE id = ANY(%s) AND NOT looked",
                           [sorted(wait_ids)])
    return canceled
