"""The runs table as a queue: claim, renew, give back, wake. All times are the database's clock.

A claim raises the token; every later write names it, so that a worker that was thought dead and
is not can change nothing any more. A lease that runs out is taken back by whoever sweeps.

Slots: of the runs of one key at most `slot_limit` are at work, in the order of their tickets. A
ticket is drawn under a lock of its key that lasts until the commit (`lock_slots`), so that the
tickets of a key become visible in order; that is why a claim needs no lock.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from events.store import notify
from omni.errors import OmniError

MAX_DEATHS = 3
ALONE_AFTER = 2  # deaths in the same step: the next try gets a worker for itself
WAKE_BATCH = 500


class Fenced(OmniError):
    """Somebody else has this run now; whoever meets this stops without writing."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class Claim:
    """now: the database's clock at the claim."""

    run_id: int
    token: int
    deaths: int
    now: datetime


_CLAIM = """
UPDATE omni_runs r SET state = 'running', token = token + 1, lease_owner = %(owner)s,
    lease_until = omni_now() + %(lease)s * interval '1 second',
    started_at = coalesce(started_at, omni_now())
WHERE r.id = ANY(ARRAY(  -- computed once: a subquery of IN may be run again and pass the limit
    SELECT q.id FROM omni_runs q
    WHERE q.state = 'queued' AND q.available_at <= omni_now() AND {deaths}
      AND NOT EXISTS (SELECT 1 FROM omni_workflows w
                      WHERE w.id = q.workflow_id AND w.mode = 'paused')
      AND CASE WHEN q.slot_key IS NULL THEN true
               WHEN q.slot_limit = 1 THEN NOT EXISTS (SELECT 1 FROM omni_runs p WHERE {before})
               ELSE (SELECT count(*) FROM omni_runs p WHERE {before}) < q.slot_limit END
    ORDER BY q.available_at LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED))
RETURNING r.id, r.token, r.deaths, omni_now()
"""
_BEFORE = ("p.slot_key = q.slot_key AND p.id <> q.id AND (p.state = 'running' "
           "OR (p.state = 'queued' AND p.ticket < q.ticket))")
_CLAIM_SHARED = _CLAIM.format(deaths=f"q.deaths < {ALONE_AFTER}", before=_BEFORE)
_CLAIM_ALONE = _CLAIM.format(deaths=f"q.deaths >= {ALONE_AFTER}", before=_BEFORE)


def now() -> datetime:
    """The database's clock, which tests can move; nothing that waits asks another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT omni_now()")
        return cursor.fetchone()[0]


def claim(owner: str, *, limit: int, alone: bool = False) -> list[Claim]:
    """Take up to `limit` runs that are due. alone: those that have killed workers before."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_ALONE if alone else _CLAIM_SHARED,
                       {"owner": owner, "limit": limit, "lease": settings.OMNI_LEASE_SECONDS})
        return [Claim(*row) for row in cursor.fetchall()]


def renew(claims: Iterable[Claim]) -> None:
    """Extend the leases of runs that make progress."""
    tokens = {claim.run_id: claim.token for claim in claims}
    if not tokens:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE omni_runs r SET lease_until = omni_now() + %s * interval '1 second' "
            "FROM unnest(%s::bigint[], %s::int[]) AS w(id, token) "
            "WHERE r.id = w.id AND r.token = w.token AND r.state = 'running'",
            [settings.OMNI_LEASE_SECONDS, list(tokens), list(tokens.values())])


def lock_slots(keys: Iterable[str | None]) -> None:
    """Hold these keys until the transaction ends; in order, so that nobody waits in a circle."""
    wanted = sorted({key for key in keys if key is not None})
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) "
                           "FROM unnest(%s::text[]) AS key", [wanted])


_DUE = """
SELECT id, slot_key FROM omni_runs WHERE state = 'waiting' AND available_at <= omni_now()
ORDER BY available_at LIMIT %s
"""
_KEYS = "SELECT slot_key FROM omni_runs WHERE id = ANY(%s) AND slot_key IS NOT NULL"
_WAKE = """
UPDATE omni_runs SET state = 'queued', ticket = nextval('omni_run_tickets'),
    available_at = omni_now()
WHERE id = ANY(%s) AND state = 'waiting' {due} RETURNING id
"""
_WAKE_DUE = _WAKE.format(due="AND available_at <= omni_now()")
_WAKE_NOW = _WAKE.format(due="")


def wake(run_ids: Sequence[int]) -> list[int]:
    """Put runs that wait back in line, each with a new ticket; those that were woken."""
    if not run_ids:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_KEYS, [list(run_ids)])
        lock_slots(row[0] for row in cursor.fetchall())
        cursor.execute(_WAKE_NOW, [list(run_ids)])
        woken = [row[0] for row in cursor.fetchall()]
    if woken:
        transaction.on_commit(lambda: notify.notifier.send(notify.WORK))
    return woken


_HURRY = """
UPDATE omni_runs SET available_at = omni_now()
WHERE id = ANY(%s) AND state = 'queued' AND available_at > omni_now()
"""


def hurry(run_ids: Collection[int]) -> None:
    """Let runs that were put off look at once at what they are put off for; what is not due yet
    puts them off again.
    """
    if not run_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_HURRY, [list(run_ids)])
    wake(sorted(run_ids))
    notify.notifier.send(notify.WORK)


def wake_due() -> int:
    """Put runs whose time has come back in line; how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DUE, [WAKE_BATCH])
        due = cursor.fetchall()
        if not due:
            return 0
        lock_slots(key for _, key in due)
        cursor.execute(_WAKE_DUE, [[run_id for run_id, _ in due]])
        return len(cursor.fetchall())


class Todo(NamedTuple):
    """What there is to do. next_due: seconds until the next run that waits is due, or None."""

    events: bool
    due: bool
    waking: bool
    suspects: bool
    next_due: float | None


_READY = """EXISTS (SELECT 1 FROM omni_runs q WHERE q.state = 'queued'
    AND q.available_at <= omni_now() AND q.deaths {deaths} AND NOT EXISTS (
        SELECT 1 FROM omni_workflows w WHERE w.id = q.workflow_id AND w.mode = 'paused'))"""
_LOOK = f"""
SELECT EXISTS (SELECT 1 FROM omni_events WHERE routed_at IS NULL),
    {_READY.format(deaths=f'< {ALONE_AFTER}')}, coalesce(w.seconds <= 0, false),
    {_READY.format(deaths=f'>= {ALONE_AFTER}')},
    w.seconds
FROM (SELECT extract(epoch FROM min(available_at) - omni_now())::float AS seconds
      FROM omni_runs WHERE state = 'waiting') w
"""


def todo() -> Todo:
    """One cheap look at everything a worker may do next, so that it asks for no more than that."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        return Todo(*cursor.fetchone())


_SWEEP = """
UPDATE omni_runs r SET token = token + 1, deaths = deaths + 1, lease_until = NULL,
    lease_owner = '', available_at = omni_now(),
    state = CASE WHEN deaths + 1 >= %(most)s THEN 'dead' ELSE 'queued' END,
    code = CASE WHEN deaths + 1 >= %(most)s THEN 'worker_died' ELSE code END,
    ended_at = CASE WHEN deaths + 1 >= %(most)s THEN omni_now() END,
    reason = CASE WHEN deaths + 1 >= %(most)s THEN
        'the worker died ' || (deaths + 1) || ' times in a row at ' ||
        coalesce(nullif(step_path, ''), 'the first step') || ' (last: ' || lease_owner || ')'
        ELSE reason END
WHERE r.id = ANY(ARRAY(SELECT id FROM omni_runs WHERE state = 'running'
                       AND lease_until < omni_now() ORDER BY id FOR UPDATE SKIP LOCKED))
RETURNING r.id, r.state
"""


def take_back() -> tuple[list[int], list[int]]:
    """Runs whose lease ran out: (queued again, dead). `endings.sweep` does what follows."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP, {"most": MAX_DEATHS})
        rows = cursor.fetchall()
    return ([run_id for run_id, state in rows if state == "queued"],
            [run_id for run_id, state in rows if state == "dead"])


def release(owner: str) -> None:
    """On a clean stop: give back what this worker held, without counting a death."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE omni_runs SET state = 'queued', lease_until = NULL, "
                       "lease_owner = '', available_at = omni_now() "
                       "WHERE state = 'running' AND lease_owner = %s", [owner])
