"""The runs table as a queue: claim, renew, give back, end. All times are the database's clock.

A claim raises the token; every later write names it, so that a worker that was thought dead and
is not can change nothing any more. A lease that runs out is taken back by whoever sweeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from connections.payload import sanitize_text
from events import notify
from omni import audit
from omni.errors import InvalidInput, OmniError
from registry import alerts
from registry.models import Run

MAX_DEATHS = 3
LONGEST_DELAY = 30 * 86_400.0  # seconds; what others ask us to wait has no bounds
ALONE_AFTER = 2  # deaths in the same step: the next try gets a worker for itself


class Fenced(OmniError):
    """Somebody else has this run now; whoever meets this stops without writing."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class Claim:
    run_id: int
    token: int
    deaths: int


_CLAIM = """
UPDATE omni_runs r SET state = 'running', token = token + 1, lease_owner = %(owner)s,
    lease_until = clock_timestamp() + %(lease)s * interval '1 second',
    started_at = coalesce(started_at, clock_timestamp())
WHERE r.id IN (
    SELECT q.id FROM omni_runs q
    WHERE q.state = 'queued' AND q.available_at <= clock_timestamp() AND {deaths}
      AND (q.ordering_key IS NULL OR NOT EXISTS (
          SELECT 1 FROM omni_runs p WHERE p.ordering_key = q.ordering_key AND p.id <> q.id
          AND (p.state = 'running' OR (p.state = 'queued' AND p.id < q.id))))
    ORDER BY q.available_at LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED)
RETURNING r.id, r.token, r.deaths
"""
_CLAIM_SHARED = _CLAIM.format(deaths=f"q.deaths < {ALONE_AFTER}")
_CLAIM_ALONE = _CLAIM.format(deaths=f"q.deaths >= {ALONE_AFTER}")


def claim(owner: str, *, limit: int, alone: bool = False) -> list[Claim]:
    """Take up to `limit` runs that are due. alone: those that have killed workers before.

    The oldest run of an ordering key goes first, the next one when it has ended; an index in the
    database refuses two at once.
    """
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
            "UPDATE omni_runs r SET lease_until = clock_timestamp() + %s * interval '1 second' "
            "FROM unnest(%s::bigint[], %s::int[]) AS w(id, token) "
            "WHERE r.id = w.id AND r.token = w.token AND r.state = 'running'",
            [settings.OMNI_LEASE_SECONDS, list(tokens), list(tokens.values())])


def advance_to(claim: Claim, step_path: str) -> None:
    """Note that a run reached a step; a new step forgets earlier deaths. Raises Fenced.

    A worker that died before any step was noted may have died in this one.
    """
    _fenced(claim, "step_path = %s, "
            "deaths = CASE WHEN step_path IN (%s, '') THEN deaths ELSE 0 END",
            [step_path[:255], step_path[:255]])


def end(claim: Claim, state: str, *, reason: str, code: str = "") -> None:
    """A run's final state. Raises Fenced."""
    _fenced(claim, "state = %s, reason = %s, code = %s, ended_at = clock_timestamp(), "
            "lease_until = NULL", [state, sanitize_text(reason[:4000]), code[:64]])


def again_after(claim: Claim, seconds: float) -> None:
    """Give a run back to the queue, due after `seconds`, at most a month. Raises Fenced."""
    _fenced(claim, "state = 'queued', lease_until = NULL, lease_owner = '', "
            "available_at = clock_timestamp() + %s * interval '1 second'",
            [min(seconds, LONGEST_DELAY)])


def _fenced(claim: Claim, change: str, values: list) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE omni_runs SET {change} "
                       "WHERE id = %s AND token = %s AND state = 'running'",
                       [*values, claim.run_id, claim.token])
        if cursor.rowcount != 1:
            raise Fenced(f"run {claim.run_id} was taken over (token {claim.token} is old)")


_SWEEP = """
UPDATE omni_runs r SET token = token + 1, deaths = deaths + 1, lease_until = NULL,
    lease_owner = '', available_at = clock_timestamp(),
    state = CASE WHEN deaths + 1 >= %(most)s THEN 'dead' ELSE 'queued' END,
    code = CASE WHEN deaths + 1 >= %(most)s THEN 'worker_died' ELSE code END,
    ended_at = CASE WHEN deaths + 1 >= %(most)s THEN clock_timestamp() END,
    reason = CASE WHEN deaths + 1 >= %(most)s THEN
        'the worker died ' || (deaths + 1) || ' times in a row at ' ||
        coalesce(nullif(step_path, ''), 'the first step') || ' (last: ' || lease_owner || ')'
        ELSE reason END
WHERE r.id IN (SELECT id FROM omni_runs WHERE state = 'running'
               AND lease_until < clock_timestamp() ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING r.id, r.state
"""


def sweep() -> tuple[list[int], list[int]]:
    """Take back runs whose lease ran out: (queued again, dead). Never executes anything."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SWEEP, {"most": MAX_DEATHS})
            rows = cursor.fetchall()
        dead = [run_id for run_id, state in rows if state == "dead"]
        for run in Run.objects.filter(pk__in=dead).select_related("workflow", "event"):
            alerts.run_ended_badly(run)
    if rows:
        notify.notifier.send(notify.RUNS, ",".join(str(run_id) for run_id, _ in rows))
    return [run_id for run_id, state in rows if state == "queued"], dead


def waiting_alone() -> bool:
    """Whether a run that killed workers waits for one of its own."""
    return Run.objects.filter(state="queued", deaths__gte=ALONE_AFTER,
                              available_at__lte=timezone.now()).exists()


def release(owner: str) -> None:
    """On a clean stop: give back what this worker held, without counting a death."""
    Run.objects.filter(state="running", lease_owner=owner).update(
        state="queued", lease_until=None, lease_owner="", available_at=timezone.now())


def cancel(run: Run, *, actor: str) -> None:
    """End a run that has not ended; a step that is being done finishes, nothing follows it."""
    changed = Run.objects.filter(pk=run.pk).live().update(
        state="canceled", reason=f"canceled by {actor}", code="canceled", lease_until=None,
        ended_at=timezone.now())
    if not changed:
        raise InvalidInput(f"run {run.pk} has ended already", code="stale")
    audit.note(actor, "run.canceled", f"run:{run.pk}")
    notify.notifier.send(notify.RUNS, str(run.pk))


def rerun(run: Run, *, actor: str) -> Run:
    """The same workflow on the same event again, by hand: a new run that does its effects again."""
    if run.state not in ("done", "ignored", "failed", "dead", "canceled"):
        raise InvalidInput(f"run {run.pk} has not ended yet", code="stale")
    with transaction.atomic():
        last = Run.objects.filter(event=run.event_id, workflow=run.workflow_id).order_by(
            "-replay_no").select_for_update().first()
        now = timezone.now()
        fresh = Run.objects.create(
            instance_id=run.instance_id, event_id=run.event_id, workflow_id=run.workflow_id,
            version_id=run.version_id, replay_no=last.replay_no + 1, inputs=run.inputs,
            priority=run.priority, ordering_key=run.ordering_key, available_at=now,
            created_at=now, deadline=None)
        audit.note(actor, "run.rerun", f"run:{run.pk}", new_run=fresh.pk)
    notify.notifier.send(notify.RUNS, str(fresh.pk))
    notify.notifier.send(notify.WORK)
    return fresh
