"""The runs table as a queue: claim, give back, wake. All times are the database's clock.

A claim raises the token; every later write names it, so that a worker that was thought dead and
is not can change nothing any more. Runs of a worker that is gone (`leases`) are taken back by
whoever sweeps.

Slots: of the runs of one key at most `slot_limit` are queued or at work; the others are blocked,
in the order of their tickets. The database's triggers keep that line when runs enter and leave it
(migration 0008), so a claim sees only runs that may begin, whatever stands in line.
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from events.store import notify
from omni import statements
from omni.config import revision
from omni.errors import OmniError

MAX_DEATHS = 3
ALONE_AFTER = 2  # deaths in the same step: the next try gets a worker for itself
WAKE_BATCH = 500


class Fenced(OmniError):
    """Somebody else has this run now; whoever meets this stops without writing."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class Claim:
    """now: the database's clock at the claim. instance_id: whose threads it counts for."""

    run_id: int
    token: int
    deaths: int
    now: datetime
    instance_id: int = field(default=0, compare=False)


# Of every account (and priority there) the longest due, as far as its share of threads goes; then
# the first of each account before the second of any. So no account's backlog is seen by another's
# runs, nor by the planner. Runs of a paused workflow are put in line instead of being taken.
_CLAIM = """
WITH RECURSIVE ready(instance_id, priority) AS (
    (SELECT instance_id, priority FROM omni_runs WHERE state = 'queued' AND deaths < 2
     ORDER BY instance_id, priority LIMIT 1)
    UNION ALL
    SELECT n.instance_id, n.priority FROM ready r CROSS JOIN LATERAL (
        SELECT q.instance_id, q.priority FROM omni_runs q WHERE q.state = 'queued' AND q.deaths < 2
        AND (q.instance_id, q.priority) > (r.instance_id, r.priority)
        ORDER BY q.instance_id, q.priority LIMIT 1) n),
rooms AS (
    SELECT r.*, least(%s::int, %s::int - coalesce((%s::jsonb ->> r.instance_id::text)::int, 0))
        AS room FROM ready r),
due AS MATERIALIZED (
    SELECT q.*, r.room FROM rooms r CROSS JOIN LATERAL (
        SELECT o.id, o.instance_id, o.priority, o.available_at FROM omni_runs o
        WHERE o.state = 'queued' AND o.deaths < 2 AND o.instance_id = r.instance_id
          AND o.priority = r.priority AND o.available_at <= omni_now()
        ORDER BY o.available_at LIMIT greatest(r.room, 0) FOR UPDATE SKIP LOCKED) q),
ranked AS (
    SELECT d.*, row_number() OVER (PARTITION BY d.instance_id
                                   ORDER BY d.priority, d.available_at, d.id) AS n FROM due d),
taken AS (
    SELECT id FROM ranked WHERE n <= room ORDER BY n, priority, available_at, id LIMIT %s::int)
"""
_TAKE = f"""
UPDATE omni_runs r SET
    state = CASE WHEN w.mode = 'paused' THEN 'blocked' ELSE 'running' END,
    token = r.token + CASE WHEN w.mode = 'paused' THEN 0 ELSE 1 END,
    lease_owner = CASE WHEN w.mode = 'paused' THEN '' ELSE %s::text END,
    lease_until = CASE WHEN w.mode = 'paused' THEN NULL
        ELSE omni_now() + %s::float8 * interval '1 second' END,
    started_at = CASE WHEN w.mode = 'paused' THEN r.started_at
        ELSE coalesce(r.started_at, omni_now()) END
FROM omni_workflows w WHERE w.id = r.workflow_id AND r.id = ANY(ARRAY(SELECT id FROM taken))
RETURNING r.id, r.token, r.deaths, omni_now(), r.instance_id, r.state = 'running',
    {revision.NUMBER}
"""
_CLAIM_SHARED = _CLAIM + _TAKE
_CLAIM_SUSPECT = f"""
WITH taken AS MATERIALIZED (
    SELECT id FROM omni_runs WHERE state = 'queued' AND deaths >= {ALONE_AFTER}
    AND available_at <= omni_now() ORDER BY available_at LIMIT 1 FOR UPDATE SKIP LOCKED)
""" + _TAKE


def now() -> datetime:
    """The database's clock, which tests can move; nothing that waits asks another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT omni_now()")
        return cursor.fetchone()[0]


def claim(owner: str, *, limit: int, alone: bool = False, share: int | None = None,
          busy: Mapping[int, int] | None = None) -> list[Claim]:
    """Take up to `limit` runs that are due.

    share: how many runs of one account this worker may have at work; busy: how many it has, by
    account. alone: one of those that have killed workers before.
    """
    claims: list[Claim] = []
    while len(claims) < limit:
        lease = [owner, settings.OMNI_LEASE_SECONDS]
        left, asked_at = limit - len(claims), time.monotonic()
        rows = statements.execute(_CLAIM_SUSPECT, lease) if alone else statements.execute(
            _CLAIM_SHARED, [left, limit if share is None else share,
                            json.dumps(_with(busy, claims)), left, *lease])
        if rows:  # who routed them may have known of a change before this process
            revision.seen(rows[0][6], asked_at=asked_at)
        taken = [Claim(*row[:5]) for row in rows if row[5]]
        claims += taken
        if len(taken) == len(rows):
            break  # nothing was put in line meanwhile, so this is all there is
    return sorted(claims, key=lambda claim: claim.run_id)


def _with(busy: Mapping[int, int] | None, claims: Sequence[Claim]) -> dict[int, int]:
    counted = dict(busy or {})
    for one in claims:
        counted[one.instance_id] = counted.get(one.instance_id, 0) + 1
    return counted


def lock_slots(keys: Iterable[str | None]) -> None:
    """Hold these keys until the transaction ends; in order, so that nobody waits in a circle.

    Before any row of a run is held: whoever enters or leaves a line takes its key.
    """
    wanted = sorted({key for key in keys if key is not None})
    if wanted:
        statements.execute("SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) "
                           "FROM unnest(%s::text[]) AS key", [wanted])


_KEYS = "SELECT slot_key FROM omni_runs WHERE id = ANY(%s::bigint[]) AND slot_key IS NOT NULL"
_DUE = """
SELECT id, slot_key FROM omni_runs WHERE state = 'waiting' AND available_at <= omni_now()
ORDER BY available_at LIMIT %s::int
"""
_WAKE = """
UPDATE omni_runs SET state = 'queued', available_at = omni_now()
WHERE id = ANY(%s::bigint[]) AND state = 'waiting' {due} RETURNING id
"""
_WAKE_DUE = _WAKE.format(due="AND available_at <= omni_now()")
_WAKE_NOW = _WAKE.format(due="")


def lock_slots_of(run_ids: Iterable[int]) -> None:
    """Hold the keys of these runs."""
    lock_slots(key for (key,) in statements.execute(_KEYS, [list(run_ids)]))


def wake(run_ids: Sequence[int]) -> list[int]:
    """Put runs that wait back in line, each with a new ticket; those that were woken."""
    if not run_ids:
        return []
    with transaction.atomic():
        lock_slots_of(run_ids)
        woken = [row[0] for row in statements.execute(_WAKE_NOW, [sorted(run_ids)])]
    if woken:
        transaction.on_commit(lambda: notify.notifier.send(notify.WORK))
    return woken


_HURRY = """
UPDATE omni_runs SET available_at = omni_now()
WHERE id = ANY(%s::bigint[]) AND state IN ('queued', 'blocked') AND available_at > omni_now()
"""


def hurry(run_ids: Collection[int]) -> None:
    """Let runs that were put off look at once at what they are put off for; what is not due yet
    puts them off again.
    """
    if not run_ids:
        return
    statements.execute(_HURRY, [list(run_ids)])
    wake(sorted(run_ids))
    notify.notifier.send(notify.WORK)


def wake_due() -> int:
    """Put runs whose time has come back in line; how many."""
    with transaction.atomic():
        due = statements.execute(_DUE, [WAKE_BATCH])
        if not due:
            return 0
        lock_slots(key for _, key in due)
        return len(statements.execute(_WAKE_DUE, [[run_id for run_id, _ in due]]))


_LOST = """
SELECT r.id, CASE WHEN r.deaths + 1 >= %s::int THEN r.slot_key END FROM omni_runs r
WHERE r.state = 'running' AND r.lease_until < omni_now() AND NOT EXISTS (
    SELECT 1 FROM omni_workers w WHERE w.owner = r.lease_owner AND w.until >= omni_now())
ORDER BY r.id
"""
_TAKE_BACK = """
UPDATE omni_runs r SET token = token + 1, deaths = deaths + 1, lease_until = NULL,
    lease_owner = '', available_at = omni_now(),
    state = CASE WHEN deaths + 1 >= %s::int THEN 'dead' ELSE 'queued' END,
    code = CASE WHEN deaths + 1 >= %s::int THEN 'worker_died' ELSE code END,
    ended_at = CASE WHEN deaths + 1 >= %s::int THEN omni_now() END,
    reason = CASE WHEN deaths + 1 >= %s::int THEN
        'the worker died ' || (deaths + 1) || ' times in a row at ' ||
        coalesce(nullif(step_path, ''), 'the first step') || ' (last: ' || lease_owner || ')'
        ELSE reason END
WHERE r.id = ANY(ARRAY(SELECT l.id FROM omni_runs l WHERE l.id = ANY(%s::bigint[])
    AND l.state = 'running' AND l.lease_until < omni_now() AND NOT EXISTS (
        SELECT 1 FROM omni_workers w WHERE w.owner = l.lease_owner AND w.until >= omni_now())
    ORDER BY l.id FOR UPDATE SKIP LOCKED))
RETURNING r.id, r.state
"""


def take_back() -> tuple[list[int], list[int]]:
    """Runs whose worker is gone: (queued again, dead), in the caller's transaction.

    `endings.sweep` does what follows.
    """
    lost = statements.execute(_LOST, [MAX_DEATHS])
    if not lost:
        return [], []
    lock_slots(key for _, key in lost)
    rows = statements.execute(_TAKE_BACK, [MAX_DEATHS] * 4 + [[run_id for run_id, _ in lost]])
    return (sorted(run_id for run_id, state in rows if state == "queued"),
            sorted(run_id for run_id, state in rows if state == "dead"))


