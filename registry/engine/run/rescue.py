"""When what a walk left behind cannot be stored: its step failed, with that as the reason.

The failed outcome takes the place of the one that does not fit, so that the next walk goes on as
after any failed step; nothing is done again, and nobody takes it for a lost database.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from django.db import Error, connection, transaction

from events.models import EventAction
from events.store import notify, outcomes
from omni.errors import OmniError
from registry.engine.run import alerts, database_errors, fence
from registry.engine.run.contract import Record, Walk
from registry.engine.run.keeping import UNSTORABLE
from registry.engine.waits import endings, waits
from registry.engine.waits.waiting import Wait
from registry.engine.work import queue
from registry.models import Run

Row = Callable[[Record], EventAction]
_KINDS = {"approval": "approval", "call": "call"}  # of a wait -> of its step


class Unstorable(OmniError):
    """Stored by now is what could be, and why the rest could not; the run is to be walked again."""

    code = UNSTORABLE


def storing(claim: queue.Claim, run: Run, walk: Walk, row: Row, write: Callable[[], None]) -> None:
    """Write what a walk left behind. row: makes the row of a record.

    Raises Unstorable after it failed what cannot be stored; errors that have another cause go on.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            write()
    except (Error, RecursionError, TypeError, ValueError) as exc:
        if not database_errors.is_of_data(exc):
            raise
        if not _fail(claim, run, walk, row):
            raise
        raise Unstorable(f"run {run.pk}: {said(exc)}") from exc


def said(exc: BaseException) -> str:
    """What an error says, without the values a database quotes below its first line."""
    return f"{type(exc).__name__}: {str(exc).partition(chr(10))[0]}"[:2000]


def end_badly(claim: queue.Claim, run: Run, *, reason: str, code: str) -> None:
    """End a run as failed, with nothing of its walk."""
    with transaction.atomic():
        endings.lock(run)
        fence.change(claim, "state = 'failed', reason = %s, code = %s, ended_at = omni_now(), "
                            "lease_until = NULL, output = '{}'", [reason[:4000], code])
        endings.follow_up([run.pk])
        alerts.run_ended_badly(Run.objects.select_related("workflow", "event").get(pk=run.pk))
    notify.notifier.send(notify.RUNS, str(run.pk))


def _fail(claim: queue.Claim, run: Run, walk: Walk, row: Row) -> bool:
    """Store each outcome by itself until one does not fit, which becomes a failed one; whether that
    changed anything. What came after it may have read what is not there: it is done again.
    """
    try:
        with transaction.atomic():
            endings.hold_lines([run.pk] if walk.left else [])
            fence.change(claim, "token = token", [])
            endings.leave(run.pk, walk.left)
            waits.close(run.pk, [(record.path, record.iteration) for record in walk.pending])
            for record in walk.pending:
                if why := _why_not(lambda record=record: outcomes.record([row(record)])):
                    outcomes.record([row(_failed(record, why))])
                    break
            lost = [wait for wait in walk.opened if _why_not(
                lambda wait=wait: _tried(run, wait))]
            for wait in lost:
                outcomes.record([row(_failed(_record_of(wait, walk), "what it waits for"))])
    except Error as exc:
        if not database_errors.is_of_data(exc):
            raise
        end_badly(claim, run, code=UNSTORABLE,
                  reason=f"the outcome of a step could not be stored: {said(exc)}")
        return True
    changed = bool(walk.pending or lost)
    walk.pending.clear()
    return changed


def _why_not(store: Callable[[], None]) -> str:
    """Why something cannot be stored, "" when it is stored now."""
    try:
        with transaction.atomic():
            store()
    except _NotKeptError:
        return ""
    except (Error, RecursionError, TypeError, ValueError) as exc:
        if not database_errors.is_of_data(exc):
            raise
        return said(exc)
    return ""


class _NotKeptError(Exception):
    """Takes back what was tried only."""


def _tried(run: Run, wait: Wait) -> None:
    waits.store([(run.pk, run.instance_id, wait)])
    raise _NotKeptError


def _failed(record: Record, why: str) -> Record:
    return replace(record, status="failed", code=UNSTORABLE, final=True, input=None, output={},
                   reason=f"its outcome ('{record.status}') could not be stored: {why}"[:4000])


def _record_of(wait: Wait, walk: Walk) -> Record:
    now = walk.hands.clock()
    return Record(path=wait.path, iteration=wait.iteration, attempt=1, step_id="", action="",
                  step_kind=_KINDS.get(wait.kind, "wait"), status="waiting", code="", reason="",
                  final=True, input=None, output={}, started_at=now, ended_at=now, duration_ms=0.0)
