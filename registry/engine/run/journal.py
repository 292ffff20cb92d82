"""What a worker writes about the run it holds: outcomes, where it stands, its sleep and its end.

Every write names the claim's token in the same statement; a run that was taken over refuses it
(`queue.Fenced`), and nothing of that write is stored.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from connections.payload import sanitize_text
from connections.storable import storable_json
from events.models import EventAction
from events.store import notify, outcomes
from omni import failpoints
from registry.engine.run import alerts
from registry.engine.run.contract import Ended, Record, Suspended
from registry.engine.run.execution import WAITED_FOR, Execution
from registry.engine.starts import calls
from registry.engine.waits import approvals, endings, waits
from registry.engine.work import queue
from registry.models import Run

LONGEST_SLEEP = timedelta(days=3650)  # of a run without a deadline
_OWNED = "id = %s AND token = %s AND state = 'running'"
# A run that leaves its place holds the line before its row: whoever cancels it does so, too.
_LEAVES = (f"{_OWNED} AND (slot_key IS NULL OR "
           "pg_advisory_xact_lock(hashtextextended(slot_key, 0)) IS NOT NULL)")
_RECORD = tuple(item.name for item in fields(Record))


def flush(claim: queue.Claim, run: Run, execution: Execution, *, at: str) -> None:
    """Commit pending outcomes and the step the run is about to begin; a new step forgets deaths.

    A worker that died before any step was noted may have died in this one.
    """
    change = "step_path = %s, deaths = CASE WHEN step_path IN (%s, '') THEN deaths ELSE 0 END"
    _commit(claim, run, execution, change, [at[:255], at[:255]])
    execution.pending.clear()


def suspend(claim: queue.Claim, run: Run, execution: Execution, verdict: Suspended) -> None:
    """Give the run back until it is due or woken, with everything it waits for."""
    opened = list(execution.opened)
    gate = execution.definition.concurrency
    keeps_place = verdict.keeps_place and not (gate and gate.mode == "parallel")
    children = [wait for wait in opened if wait.kind == "call"]
    asked = [wait for wait in opened if wait.kind == "approval"]
    with transaction.atomic():
        planned = calls.plan(run, children)
        if planned:
            queue.lock_slots([run.slot_key, *(child.slot_key for child in planned)])
        until = min((moment for moment in (verdict.until, run.deadline) if moment is not None),
                    default=claim.now + LONGEST_SLEEP)
        _fenced(claim, "state = %s, lease_until = NULL, lease_owner = '', available_at = %s, "
                "progress = %s::jsonb, reason = %s",
                ["queued" if keeps_place else "waiting", until,
                 storable_json(execution.progress), sanitize_text(verdict.reason[:4000])])
        _store(run, claim, execution)
        stored = waits.store((run.pk, run.instance_id, wait) for wait in opened)
        approvals.ask(run, asked, stored)
        calls.start(planned)
        if waits.settled(run.pk):  # it came while the run was at work
            queue.wake([run.pk])
        failpoints.hit("suspend.precommit")
    execution.pending.clear()
    failpoints.hit("suspend.committed")
    endings.look([id for (_, path, turn), id in stored.items()
                  if execution.waits[(path, turn)].kind == "event"])
    notify.notifier.send(notify.RUNS, str(run.pk))
    notify.notifier.send(notify.WORK)


def end(claim: queue.Claim, run: Run, execution: Execution | None, ended: Ended) -> None:
    """The run's final state, with everything that follows from it."""
    change = ("state = %s, reason = %s, code = %s, ended_at = omni_now(), lease_until = NULL, "
              "output = %s::jsonb")
    values = [ended.state, sanitize_text(ended.reason[:4000]), ended.code[:64],
              storable_json(execution.scope["vars"] if execution else {})]
    if execution is not None and ended.state != "failed" and _is_alone(claim, run, execution):
        _commit(claim, run, execution, change, values)
    else:
        with transaction.atomic():
            endings.lock(run)
            _fenced(claim, change, values)
            if execution is not None:
                _store(run, claim, execution)
            endings.follow_up([run.pk])
            if ended.state == "failed":
                alerts.run_ended_badly(
                    Run.objects.select_related("workflow", "event").get(pk=run.pk))
    notify.notifier.send(notify.RUNS, str(run.pk))


def recorded(run: Run) -> dict[tuple[str, str, int], Record]:
    """A run's outcomes so far; of loops with progress not those of turns that are left behind."""
    rows = outcomes.recorded(run.pk, behind={
        f"{path}.for_each": facts["next"] for path, facts in run.progress.items()})
    return {(row.path, row.iteration, row.attempt): Record(
        **{name: getattr(row, name) for name in _RECORD}) for row in rows}


def _is_alone(claim: queue.Claim, run: Run, execution: Execution) -> bool:
    """Whether nobody waits for this run, and it never waited for anything."""
    return (claim.token == 1 and run.parent_id is None and not execution.waits
            and not execution.definition.cancel_on)


def _commit(claim: queue.Claim, run: Run, execution: Execution, change: str,
            values: list[Any]) -> None:
    """A fenced change with the pending outcomes; in one statement where nothing else hangs on it.
    """
    if execution.left or any(row.step_kind in WAITED_FOR for row in execution.pending):
        with transaction.atomic():
            _fenced(claim, change, values)
            _store(run, claim, execution)
            failpoints.hit("advance.precommit")
        return
    failpoints.hit("advance.precommit")
    if not outcomes.record_behind(f"UPDATE omni_runs SET {change} WHERE {_LEAVES}",
                                  [*values, claim.run_id, claim.token],
                                  _rows(run, claim, execution)):
        raise _taken_over(claim)


def _store(run: Run, claim: queue.Claim, execution: Execution) -> None:
    """Insert pending outcomes; what their steps waited for is over."""
    rows: Sequence[Record] = execution.pending
    endings.leave(run.pk, execution.left)
    execution.left.clear()
    waits.close(run.pk, [(row.path, row.iteration) for row in rows
                         if row.step_kind in WAITED_FOR])
    outcomes.record(_rows(run, claim, execution))


def _rows(run: Run, claim: queue.Claim, execution: Execution) -> list[EventAction]:
    return [EventAction(
        instance_id=run.instance_id, event_id=run.event_id, run_id=run.pk,
        workflow=execution.definition.id, token=claim.token,
        **{name: getattr(row, name) for name in _RECORD}) for row in execution.pending]


def _fenced(claim: queue.Claim, change: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE omni_runs SET {change} WHERE {_LEAVES}",
                       [*values, claim.run_id, claim.token])
        if cursor.rowcount != 1:
            raise _taken_over(claim)


def _taken_over(claim: queue.Claim) -> queue.Fenced:
    return queue.Fenced(f"run {claim.run_id} was taken over (token {claim.token} is old)")


