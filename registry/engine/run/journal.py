"""What a worker writes about the run it holds: outcomes, where it stands, its sleep and its end.

Every write names the claim's token in the same statement; a run that was taken over refuses it
(`queue.Fenced`), and nothing of that write is stored.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction

from connections.payload import sanitize_text
from connections.storable import storable_json
from events.models import EventAction
from events.outbox import intents
from events.store import notify, outcomes
from omni import failpoints, statements
from registry.engine.run import alerts, database_errors, fence, rescue
from registry.engine.run.contract import Ended, Record, Suspended
from registry.engine.run.execution import WAITED_FOR, Execution
from registry.engine.run.secrecy import without_any_secret
from registry.engine.starts import calls
from registry.engine.waits import approvals, endings, waits
from registry.engine.work import queue
from registry.models import Run

logger = logging.getLogger("omni.registry")
LONGEST_SLEEP = timedelta(days=3650)  # of a run without a deadline
MAX_ERRORS = 3  # of our own, in a row; the last one ends the run
LONGEST_PAUSE = 300  # seconds until the next try after one
ENGINE_ERROR = "engine_error"
# A step that is not the former one forgets deaths and errors, but only where the walk came further:
# each time costs a new outcome, so no run goes round for ever.
_MARK = ("step_path = %s::text, deaths = CASE WHEN {forget} THEN 0 ELSE deaths END, "
         "errors = CASE WHEN {forget} THEN 0 ELSE errors END")
_MARK_STEP = _MARK.format(forget="%s::bool AND step_path NOT IN (%s::text, '')")
_RECORD = tuple(item.name for item in fields(Record))


def flush(claim: queue.Claim, run: Run, execution: Execution, *, at: str) -> None:
    """Commit pending outcomes and the step the run is about to begin; a new step forgets deaths.

    A worker that died before any step was noted may have died in this one. Raises
    `rescue.Unstorable` when an outcome cannot be stored.
    """
    _storing(claim, run, execution, lambda: _commit(
        claim, run, execution, _MARK_STEP, _mark_values(execution, at)))
    execution.pending.clear()


def begin_effect(claim: queue.Claim, run: Run, execution: Execution, write: intents.Write, *,
                 at: str) -> None:
    """`flush` in the statement that begins an effect of the outbox (`write`); raises the same."""
    if _needs_transaction(execution):
        flush(claim, run, execution, at=at)

    def begin() -> None:
        failpoints.hit("advance.precommit")
        if not write(f"UPDATE omni_runs SET {_MARK_STEP} WHERE {fence.OWNED}",
                     [*_mark_values(execution, at), claim.run_id, claim.token],
                     _rows_of(run, claim, execution)):
            raise fence.taken_over(claim)

    _storing(claim, run, execution, begin)
    execution.pending.clear()


def _mark_values(execution: Execution, at: str) -> list[Any]:
    """The values of `_MARK_STEP` for a walk that is about to begin the step at this path."""
    came_further = bool(execution.pending)
    return [at[:255], came_further, at[:255], came_further, at[:255]]


def suspend(claim: queue.Claim, run: Run, execution: Execution, verdict: Suspended) -> None:
    """Give the run back until it is due or woken, with everything it waits for.

    Raises `rescue.Unstorable` when an outcome or a wait cannot be stored.
    """
    stored: dict[tuple[int, str, str], int] = {}
    _storing(claim, run, execution, lambda: stored.update(
        _put_to_sleep(claim, run, execution, verdict)))
    execution.pending.clear()
    failpoints.hit("suspend.committed")
    endings.look([id for (_, path, turn), id in stored.items()
                  if execution.waits[(path, turn)].kind == "event"])
    notify.notifier.send(notify.RUNS, str(run.pk))
    notify.notifier.send(notify.WORK)


def _put_to_sleep(claim: queue.Claim, run: Run, execution: Execution,
                  verdict: Suspended) -> dict[tuple[int, str, str], int]:
    """Ids of the waits that are new."""
    opened = list(execution.opened)
    gate = execution.definition.concurrency
    keeps_place = verdict.keeps_place and not (gate and gate.mode == "parallel")
    children = [wait for wait in opened if wait.kind == "call"]
    asked = [wait for wait in opened if wait.kind == "approval"]
    with transaction.atomic():
        planned = calls.plan(run, children)
        endings.hold_lines([run.pk] if execution.left else [])
        if planned:
            queue.lock_slots([run.slot_key, *(child.slot_key for child in planned)])
        until = min((moment for moment in (verdict.until, run.deadline) if moment is not None),
                    default=claim.now + LONGEST_SLEEP)
        fence.change(claim, "state = %s, lease_until = NULL, lease_owner = '', available_at = %s, "
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
    return stored


def end(claim: queue.Claim, run: Run, execution: Execution | None, ended: Ended) -> None:
    """The run's final state, with everything that follows from it.

    Raises `rescue.Unstorable` when an outcome cannot be stored.
    """
    if execution is None:
        _end(claim, run, None, ended)
    else:
        _storing(claim, run, execution, lambda: _end(claim, run, execution, ended))
    notify.notifier.send(notify.RUNS, str(run.pk))


def _end(claim: queue.Claim, run: Run, execution: Execution | None, ended: Ended) -> None:
    change = ("state = %s::text, reason = %s::text, code = %s::text, ended_at = omni_now(), "
              "lease_until = NULL, output = %s::jsonb")
    values = [ended.state, sanitize_text(ended.reason[:4000]), ended.code[:64],
              storable_json(execution.scope["vars"] if execution else {})]
    if execution is not None and ended.state != "failed" and _is_alone(claim, run, execution):
        _commit(claim, run, execution, change, values, leaves=True)
        return
    with transaction.atomic():
        endings.lock(run)
        fence.change(claim, change, values)
        if execution is not None:
            _store(run, claim, execution)
        endings.follow_up([run.pk])
        if ended.state == "failed":
            alerts.run_ended_badly(Run.objects.select_related("workflow", "event").get(pk=run.pk))


def errored(claim: queue.Claim, exc: BaseException) -> bool:
    """What becomes of a run whose walk broke off with an error that is no step's; never raises.

    An error of our own code or of the data is counted (`Run.errors`), and the run goes back to the
    queue for a later try; the third in a row ends it as failed, with the reason. Nothing of this
    is a death. False: the database is away, or will do better in a moment; nothing was counted, and
    the run is left to its lease.
    """
    if isinstance(exc, queue.Fenced):
        return True
    if database_errors.is_transient(exc):
        return False
    try:
        if isinstance(exc, rescue.Unstorable):
            _give_back(claim, counted=False)
        elif not _give_back(claim, counted=True):
            _give_up(claim, exc)
    except queue.Fenced:
        return True
    except (DatabaseError, InterfaceError):
        logger.warning("Run left to its lease: the database went away.",
                       extra={"run": claim.run_id})
        return False
    except Exception:  # around a task: it is left to its lease
        logger.exception("Run could not be given back.", extra={"run": claim.run_id})
        return False
    notify.notifier.send(notify.WORK)
    return True


_GIVE_BACK = f"""
UPDATE omni_runs SET state = 'queued', lease_until = NULL, lease_owner = '',
    errors = errors + %s::int, available_at = omni_now() + CASE WHEN %s::int = 0 THEN 0
        ELSE least(2 ^ (errors + 1), {LONGEST_PAUSE}) * %s::float END * interval '1 second'
WHERE {fence.OWNED} AND errors + %s::int < {MAX_ERRORS}
RETURNING id
"""


def _give_back(claim: queue.Claim, *, counted: bool) -> bool:
    """Whether it is in the queue again, or not ours; a try costs longer each time, with jitter."""
    one = int(counted)
    rows = statements.execute(_GIVE_BACK, [one, one, random.uniform(0.75, 1.25), claim.run_id,
                                           claim.token, one])
    return bool(rows) or not Run.objects.filter(
        pk=claim.run_id, token=claim.token, state="running").exists()


def _give_up(claim: queue.Claim, exc: BaseException) -> None:
    run = Run.objects.get(pk=claim.run_id)
    rescue.end_badly(claim, run, code=ENGINE_ERROR, reason=sanitize_text(
        without_any_secret(run.instance_id, rescue.said(exc))))


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


def _storing(claim: queue.Claim, run: Run, execution: Execution,
             write: Callable[[], None]) -> None:
    rescue.storing(claim, run, execution, lambda record: _row(run, claim, execution, record), write)


def _commit(claim: queue.Claim, run: Run, execution: Execution, change: str,
            values: list[Any], *, leaves: bool = False) -> None:
    """A fenced change with the pending outcomes; in one statement where nothing else hangs on it.

    leaves: the run gives its place in line up by it.
    """
    if _needs_transaction(execution):
        with transaction.atomic():
            endings.hold_lines([run.pk] if execution.left else [])
            fence.change(claim, change, values)
            _store(run, claim, execution)
            failpoints.hit("advance.precommit")
        return
    failpoints.hit("advance.precommit")
    where = fence.LEAVES if leaves else fence.OWNED
    if not outcomes.record_behind(f"UPDATE omni_runs SET {change} WHERE {where}",
                                  [*values, claim.run_id, claim.token],
                                  _rows_of(run, claim, execution)):
        raise fence.taken_over(claim)


def _needs_transaction(execution: Execution) -> bool:
    """Whether more than outcomes is to be stored: waits that are over."""
    return bool(execution.left) or any(row.step_kind in WAITED_FOR for row in execution.pending)


def _store(run: Run, claim: queue.Claim, execution: Execution) -> None:
    """Insert pending outcomes; what their steps waited for is over."""
    rows: Sequence[Record] = execution.pending
    endings.leave(run.pk, execution.left)
    execution.left.clear()
    waits.close(run.pk, [(row.path, row.iteration) for row in rows
                         if row.step_kind in WAITED_FOR])
    outcomes.record(_rows_of(run, claim, execution))


def _rows_of(run: Run, claim: queue.Claim, execution: Execution) -> list[EventAction]:
    return [_row(run, claim, execution, record) for record in execution.pending]


def _row(run: Run, claim: queue.Claim, execution: Execution, record: Record) -> EventAction:
    return EventAction(
        instance_id=run.instance_id, event_id=run.event_id, run_id=run.pk,
        workflow=execution.definition.id, token=claim.token,
        **{name: getattr(record, name) for name in _RECORD})
