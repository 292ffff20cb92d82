"""Rows of `omni_trial_jobs`, and every statement that changes one.

A job is queued, taken by the process for trials, and over. Its process says every second that it
lives: a job of one that does not is given to the next, and ends as failed when that died too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from connections.access import Principal
from omni.errors import RateLimited
from registry.models import TrialJob
from registry.models.trial_job import asker_of

CHANNEL = "omni_trials"  # NOTIFY: a job was queued
AT_WORK = {"backtest": 2, "trial": 4}  # at once, of everybody
AT_WORK_OF_ONE = {"backtest": 1, "trial": 2}  # at once, of one key or person
MOST_OF_ONE = {"backtest": 3, "trial": 6}  # queued and at work, of one key or person
MOST_ATTEMPTS = 2
SILENT_SECONDS = 15.0  # a process that said nothing for so long is dead
KEPT_DAYS = 7  # back-tests that are over
KEPT_MINUTES = 10  # trials nobody fetched, queued ones too
RETRY_SECONDS = 10.0

# A line is who waits for the same threads: back-tests, and all that is short.
_LINE = "CASE WHEN {0}kind = 'backtest' THEN 'backtest' ELSE 'trial' END"
_QUEUE = f"""
WITH mine AS (SELECT count(*) AS held FROM omni_trial_jobs WHERE asker = %(asker)s
              AND state IN ('queued', 'running') AND {_LINE.format('')} = %(line)s)
INSERT INTO omni_trial_jobs (kind, workflow, asker, instance_ids, request, state, reason, done,
                             total, owner, attempts, created_at)
SELECT %(kind)s, %(workflow)s, %(asker)s, %(instance_ids)s::jsonb, %(request)s, 'queued', '', 0, 0,
       '', 0, omni_now() FROM mine WHERE held < %(most)s
RETURNING id, pg_notify('{CHANNEL}', '')
"""
_TAKE = f"""
UPDATE omni_trial_jobs SET state = 'running', owner = %(owner)s, attempts = attempts + 1, done = 0,
       started_at = omni_now(), beat_at = clock_timestamp()
WHERE id = (
  SELECT waiting.id FROM omni_trial_jobs waiting CROSS JOIN LATERAL (
    SELECT count(*) AS held FROM omni_trial_jobs theirs WHERE theirs.state = 'running'
    AND theirs.asker = waiting.asker AND {_LINE.format('theirs.')} = %(line)s) working
  WHERE waiting.state = 'queued' AND {_LINE.format('waiting.')} = %(line)s
    AND working.held < %(of_one)s AND (%(only)s::bigint IS NULL OR waiting.id = %(only)s)
  ORDER BY working.held, waiting.id LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED)
RETURNING id, attempts, kind, workflow, request
"""
_BEAT = """
UPDATE omni_trial_jobs job SET beat_at = clock_timestamp(), done = seen.done, total = seen.total
FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[]) AS seen(id, attempt, done, total)
WHERE job.id = seen.id AND job.attempts = seen.attempt AND job.state = 'running'
  AND job.owner = %s RETURNING job.id, job.attempts
"""
_END = """
UPDATE omni_trial_jobs SET state = %s, reason = %s, result = %s, error = %s, done = %s, total = %s,
       ended_at = omni_now()
WHERE id = %s AND attempts = %s AND state = 'running' AND owner = %s
"""
_GIVE_BACK = """
UPDATE omni_trial_jobs SET state = 'queued', attempts = attempts - 1
WHERE state = 'running' AND owner = %s
"""
_OF_THE_DEAD = """
UPDATE omni_trial_jobs SET
  state = CASE WHEN attempts < %(most)s THEN 'queued' ELSE 'failed' END,
  ended_at = CASE WHEN attempts < %(most)s THEN NULL ELSE omni_now() END,
  reason = CASE WHEN attempts < %(most)s THEN '' ELSE 'its process died ' || attempts ||
    ' times while it was at work; the log of the process `trials` may say why' END
WHERE state = 'running' AND beat_at < clock_timestamp() - %(silent)s * interval '1 second'
"""
_CANCEL = """
UPDATE omni_trial_jobs SET state = 'canceled', reason = %s, ended_at = omni_now()
WHERE id = %s AND state IN ('queued', 'running')
"""
_SWEEP = """
DELETE FROM omni_trial_jobs WHERE CASE WHEN kind = 'backtest'
  THEN ended_at < omni_now() - %s * interval '1 day'
  ELSE state <> 'running' AND created_at < omni_now() - %s * interval '1 minute' END
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that this process is to do. attempt: fences what an earlier one may still write."""

    id: int
    attempt: int
    kind: str
    workflow: str
    request: str


def line_of(kind: str) -> str:
    return "backtest" if kind == "backtest" else "trial"


def queue(kind: str, request: str, who: Principal, *, workflow: str) -> int:
    """Store a job and wake its process; the job's id.

    Raises RateLimited when this key or person has as many as one may have.
    """
    line, ids = line_of(kind), who.instance_ids
    rows = _rows(_QUEUE, {
        "kind": kind, "workflow": workflow, "asker": asker_of(who), "request": request,
        "line": line, "most": MOST_OF_ONE[line],
        "instance_ids": None if ids is None else str(sorted(ids))})
    if not rows:
        what = "back-tests" if line == "backtest" else "trials and tests of workflows"
        raise RateLimited(
            f"{MOST_OF_ONE[line]} {what} of yours wait or are at work, which is the most of one "
            f"key or person ({AT_WORK_OF_ONE[line]} at a time is done); wait for one, or cancel it",
            retry_after=RETRY_SECONDS)
    return rows[0][0]


def take(line: str, owner: str, *, only: int | None = None) -> Taken | None:
    """The next job of a line: of who has least at work, then the oldest. only: this one or none."""
    rows = _rows(_TAKE, {"line": line, "of_one": AT_WORK_OF_ONE[line], "owner": owner,
                         "only": only})
    return Taken(*rows[0]) if rows else None


def beat(owner: str, seen: Mapping[Taken, tuple[int, int]]) -> set[Taken]:
    """Say that we live, and how far each job is: {job: (done, total)}. Those that are still wanted;
    the others were canceled, or given to another process.
    """
    if not seen:
        return set()
    wanted = set(_rows(_BEAT, [
        [job.id for job in seen], [job.attempt for job in seen],
        [done for done, _ in seen.values()], [total for _, total in seen.values()], owner]))
    return {job for job in seen if (job.id, job.attempt) in wanted}


def end(owner: str, job: Taken, *, state: str, reason: str = "", result: str | None = None,
        error: str | None = None, seen: tuple[int, int] = (0, 0)) -> None:
    """What a job came to; nothing is changed when it is no longer ours."""
    _rows(_END, [state, reason, result, error, *seen, job.id, job.attempt, owner])


def give_back(owner: str) -> None:
    """What is at hand begins again elsewhere; that counts as no attempt."""
    _rows(_GIVE_BACK, [owner])


def settle_dead() -> None:
    """Jobs of processes that died begin again, or end."""
    _rows(_OF_THE_DEAD, {"most": MOST_ATTEMPTS, "silent": SILENT_SECONDS})


def cancel(job_id: int, *, reason: str) -> bool:
    """End a job that is not over; whether it was not."""
    return bool(_count(_CANCEL, [reason, job_id]))


def fetch(job_id: int) -> TrialJob:
    """A short job that is over, whose row goes with it. Raises TrialJob.DoesNotExist."""
    job = TrialJob.objects.get(pk=job_id)
    forget(job_id)
    return job


def forget(job_id: int) -> None:
    """Delete a job and its result."""
    TrialJob.objects.filter(pk=job_id).delete()


def sweep() -> int:
    """Delete old results, and short jobs nobody waits for; how many."""
    return _count(_SWEEP, [KEPT_DAYS, KEPT_MINUTES])


def queued() -> bool:
    """Whether a job waits."""
    return TrialJob.objects.filter(state="queued").exists()


def _rows(statement: str, values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _count(statement: str, values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount
