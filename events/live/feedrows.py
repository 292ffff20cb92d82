"""The SQL of the live feed: rows as the sockets get them, serialized by the database, once.

Runs belong to a part above this one; the feed only reads their table, and knows no workflow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from django.db import connection as django_connection

from events.live.subscriptions import Filter, Item

PAGE = 500  # rows of one read
TEXT_MAX = 4000  # characters of a text that a frame carries

_GROUP = """
    SELECT g.id FROM omni_conversations c
    JOIN omni_conversations k ON k.id = coalesce(c.merged_into_id, c.id)
    JOIN omni_conversations g ON g.id = k.id OR g.merged_into_id = k.id WHERE c.id = {}
"""
_PLACES = f"ARRAY({_GROUP.format('e.conversation_id')})"
_HEAD = f"e.id, e.instance_id, e.event_type, e.direction, {_PLACES}, e.conversation_ref"
_ROW = f"""
    json_build_object(
        'id', e.id, 'instance', i.slug, 'provider', e.provider, 'event_type', e.event_type,
        'direction', e.direction, 'source', e.source, 'from_me', e.from_me,
        'conversation', e.conversation_id, 'conversation_ref', e.conversation_ref,
        'provider_actor_ref', e.provider_actor_ref, 'sender_name', e.sender_name,
        'text', left(e.text, {TEXT_MAX}), 'text_cut', coalesce(length(e.text) > {TEXT_MAX}, false),
        'subject', e.subject, 'media_kind', e.media_kind,
        'provider_message_id', e.provider_message_id, 'relation', e.relation,
        'target_message_id', e.target_message_id, 'delivery_status', e.delivery_status,
        'error_code', e.error_code, 'caused_by', e.caused_by_id, 'state', e.state,
        'occurred_at', e.occurred_at, 'received_at', e.received_at)::text"""
_WANTED = "%(rows)s::bigint[] IS NULL OR e.instance_id = ANY(%(rows)s::bigint[])"

_NEW = f"""
SELECT h.oldest, h.newest, e.* FROM (
    SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, pg_snapshot_xmax(s)::text::bigint AS newest
    FROM pg_current_snapshot() s) h
LEFT JOIN LATERAL (
    SELECT e.id, e.instance_id, e.event_type, e.direction,
        CASE WHEN {_WANTED} THEN {_PLACES} END, e.conversation_ref, CASE WHEN {_WANTED} THEN {_ROW}
        END
    FROM omni_events e JOIN omni_instances i ON i.id = e.instance_id
    WHERE e.id > %(floor)s AND e.id NOT IN (SELECT unnest(%(seen)s::bigint[]))
    ORDER BY e.id LIMIT {PAGE}) e ON true
"""

_STORED = f"""
SELECT {_HEAD}, {_ROW} FROM omni_events e JOIN omni_instances i ON i.id = e.instance_id
WHERE e.id > %(after)s
  AND (%(instances)s::bigint[] IS NULL OR e.instance_id = ANY(%(instances)s::bigint[]))
  AND (%(direction)s = '' OR e.direction = %(direction)s)
  AND (%(conversation)s::bigint IS NULL
       OR e.conversation_id IN ({_GROUP.format("%(conversation)s::bigint")}))
  AND (%(conversation_ref)s = '' OR e.conversation_ref = %(conversation_ref)s)
  AND (%(types)s::text[] IS NULL OR e.event_type LIKE ANY(%(types)s::text[]))
ORDER BY e.id LIMIT {PAGE}
"""

_RUNS_OF = f"""
SELECT {_HEAD.replace("e.id, e.instance_id", "r.id, r.instance_id")},
    json_build_object(
        'id', r.id, 'event', r.event_id, 'instance', i.slug, 'workflow', w.slug,
        'version', v.number, 'replay_no', r.replay_no, 'state', r.state, 'code', r.code,
        'reason', left(r.reason, 500), 'step_path', r.step_path, 'created_at', r.created_at,
        'started_at', r.started_at, 'ended_at', r.ended_at,
        'steps', coalesce((
            SELECT json_agg(json_build_object(
                'id', a.id, 'path', a.path, 'iteration', a.iteration, 'attempt', a.attempt,
                'step_id', a.step_id, 'step_kind', a.step_kind, 'action', a.action,
                'status', a.status, 'code', a.code, 'reason', left(a.reason, 500),
                'duration_ms', a.duration_ms) ORDER BY a.id)
            FROM (SELECT * FROM omni_event_actions s WHERE s.run_id = r.id
                  ORDER BY s.id DESC LIMIT 100) a), '[]'::json))::text
FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
JOIN omni_instances i ON i.id = r.instance_id JOIN omni_workflows w ON w.id = r.workflow_id
JOIN omni_workflow_versions v ON v.id = r.version_id
WHERE {{}} = ANY(%(ids)s)
  AND (%(instances)s::bigint[] IS NULL OR r.instance_id = ANY(%(instances)s::bigint[]))
ORDER BY r.id DESC LIMIT 500
"""
_RUNS = _RUNS_OF.format("r.id")
_RUNS_OF_EVENTS = _RUNS_OF.format("r.event_id")

_CHANGED_RUNS = """
SELECT id FROM (SELECT id, greatest(created_at, started_at, ended_at) AS at FROM omni_runs
                ORDER BY id DESC LIMIT 500) r WHERE at > now() - make_interval(secs => %(secs)s)
UNION
SELECT run_id FROM (SELECT run_id, ended_at FROM omni_event_actions ORDER BY id DESC LIMIT 1000) a
WHERE ended_at > now() - make_interval(secs => %(secs)s)
"""

_NEWEST = "SELECT id FROM omni_events ORDER BY id DESC LIMIT %(count)s"


@dataclass(slots=True)
class Page:
    """Events that became visible. bare: ids of those whose text was not read. oldest, newest: the
    transactions open when it was read; one that may still add an event with a lower id is among
    them. full: there are more.
    """

    items: list[Item]
    bare: set[int]
    oldest: int
    newest: int

    @property
    def full(self) -> bool:
        return len(self.items) >= PAGE


async def new_events(db: psycopg.AsyncConnection, *, floor: int, seen: Iterable[int],
                     wanted_of: frozenset[int] | None) -> Page:
    """Events above `floor` that are not in `seen`, in one snapshot, oldest first.

    wanted_of: accounts whose events are read with their text, None for all; of the others only
    what and where they are.
    """
    cursor = await db.execute(_NEW, {"floor": floor, "seen": list(seen),
                                     "rows": _ids(wanted_of)})
    rows = await cursor.fetchall()
    oldest, newest, *_ = rows[0]
    items, bare = [], set()
    for _, _, id, instance, kind, direction, places, ref, text in rows:
        if id is None:
            continue
        if text is None:
            bare.add(id)
        items.append(Item("event", id, instance, kind, direction, places or (), ref, text or ""))
    return Page(items, bare, oldest=oldest, newest=newest)


async def newest_ids(db: psycopg.AsyncConnection, *, count: int) -> list[int]:
    cursor = await db.execute(_NEWEST, {"count": count})
    return [row[0] for row in await cursor.fetchall()]


async def runs(db: psycopg.AsyncConnection, ids: list[int], *,
               wanted_of: frozenset[int] | None) -> list[Item]:
    """Those of these runs that are of the accounts, None for all; with their steps, as they are
    now.
    """
    cursor = await db.execute(_RUNS, {"ids": ids, "instances": _ids(wanted_of)})
    return [Item("run", *row) for row in await cursor.fetchall()]


async def changed_runs(db: psycopg.AsyncConnection, *, seconds: float) -> set[int]:
    """Ids of recent runs that moved in the last `seconds`, for when a notice was lost."""
    cursor = await db.execute(_CHANGED_RUNS, {"secs": seconds})
    return {row[0] for row in await cursor.fetchall()}


def stored_events(wanted: Filter, *, after: int) -> list[Item]:
    """Up to PAGE stored events with a higher id than `after`, oldest first. Django's connection."""
    with django_connection.cursor() as cursor:
        cursor.execute(_STORED, {
            "after": after, "direction": wanted.direction, "conversation": wanted.conversation_id,
            "conversation_ref": wanted.conversation_ref, "types": _patterns(wanted.types),
            "instances": _ids(wanted.instance_ids)})
        return [Item("event", *row) for row in cursor.fetchall()]


def runs_of_events(ids: list[int], *, wanted_of: frozenset[int] | None) -> list[Item]:
    """The runs of these events in these accounts, None for all, with their steps. Django's
    connection.
    """
    with django_connection.cursor() as cursor:
        cursor.execute(_RUNS_OF_EVENTS, {"ids": ids, "instances": _ids(wanted_of)})
        return [Item("run", *row) for row in cursor.fetchall()]


def _ids(accounts: frozenset[int] | None) -> list[int] | None:
    return None if accounts is None else list(accounts)


def _patterns(globs: tuple[str, ...]) -> list[str] | None:
    """Globs as LIKE patterns; only `*` is special."""
    quoted = [glob.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for glob in globs]
    return [text.replace("*", "%") for text in quoted] or None
