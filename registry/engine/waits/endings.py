"""How runs end from outside, and what follows from every end.

Whatever a run waited for is closed, the run that called it is told and woken, and runs it was
waiting for are canceled when it ended first.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from connections.payload import sanitize_text
from events.outbox import interrupted
from events.store import notify
from omni import audit
from omni.errors import InvalidInput
from registry.engine.run import alerts
from registry.engine.run.contract import Place
from registry.engine.waits import waits
from registry.engine.work import queue
from registry.models import Run

_CLOSE_THERE = """
WITH closed AS (UPDATE omni_waits w SET state = 'closed', ended_at = omni_now()
    WHERE w.run_id = ANY(%(ids)s) AND w.state <> 'closed' AND {there}
    RETURNING w.run_id, w.path, w.iteration, w.kind)
SELECT r.id FROM omni_runs r JOIN closed c ON c.kind = 'call' AND r.parent_id = c.run_id
    AND r.parent_path = c.path AND r.parent_iteration = c.iteration
WHERE r.state IN ('queued', 'blocked', 'running', 'waiting')
"""
_THERE = ("(w.path, w.iteration) IN (SELECT * FROM unnest(%(paths)s::text[], "
          "%(turns)s::text[]))")
_CLOSE = _CLOSE_THERE.format(there="true")
_CLOSE_THERE = _CLOSE_THERE.format(there=_THERE)
_CALLERS = """
SELECT w.id, r.id, r.state, r.reason, r.code, r.output, r.parent_id
FROM omni_runs r JOIN omni_waits w ON w.run_id = r.parent_id AND w.path = r.parent_path
    AND w.iteration = r.parent_iteration AND w.kind = 'call' AND w.state = 'open'
WHERE r.id = ANY(%(ids)s)
"""
# Of runs, of those that called them, and of all they called themselves: these end with them.
_FAMILY = """
WITH RECURSIVE called(id) AS (
    SELECT unnest(%(ids)s::bigint[])
    UNION
    SELECT r.id FROM called c JOIN omni_runs r ON r.parent_id = c.id
    WHERE r.state IN ('queued', 'blocked', 'running', 'waiting'))
SELECT r.slot_key FROM omni_runs r WHERE r.slot_key IS NOT NULL AND (
    r.id IN (SELECT id FROM called)
    OR r.id IN (SELECT parent_id FROM omni_runs WHERE id = ANY(%(ids)s)))
"""
_HOLD = """
SELECT 1 FROM omni_runs WHERE id = ANY(%(ids)s)
    OR id IN (SELECT parent_id FROM omni_runs WHERE id = ANY(%(ids)s)) ORDER BY id FOR UPDATE
"""
_CANCEL = """
UPDATE omni_runs SET state = 'canceled', reason = %(reason)s, code = %(code)s, lease_until = NULL,
    ended_at = omni_now()
WHERE id = ANY(%(ids)s) AND state IN ('queued', 'blocked', 'running', 'waiting') RETURNING id
"""


def lock(run: Run) -> None:
    """Before a run ends that others may wait for, or that waits for others: hold the lines of all
    of them and then the rows of it and its caller, in the order everybody does.
    """
    _lock([run.pk])


def hold_lines(run_ids: Sequence[int]) -> None:
    """Before rows of these runs are held: the lines of all that may end with them."""
    if run_ids:
        with connection.cursor() as cursor:
            cursor.execute(_FAMILY, {"ids": list(run_ids)})
            queue.lock_slots(row[0] for row in cursor.fetchall())


def follow_up(run_ids: Sequence[int]) -> None:
    """What follows from the end of these runs, in the transaction that ends them."""
    ids = {"ids": list(run_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, ids)
        orphans = [row[0] for row in cursor.fetchall()]
        cursor.execute("UPDATE omni_approvals SET state = 'closed' "
                       "WHERE run_id = ANY(%(ids)s) AND state = 'open'", ids)
        cursor.execute(_CALLERS, ids)
        told = [parent for wait, run, state, reason, code, output, parent in cursor.fetchall()
                if waits.settle(wait, {"run": run, "state": state, "reason": reason,
                                       "code": code, "output": waits.plain(output) or {}})]
    queue.wake(told)
    if orphans:
        _cancel(orphans, reason="the run that called it ended", code="caller_ended")


def leave(run_id: int, places: Sequence[Place]) -> None:
    """A run does not come back to these steps: close what it waits for there."""
    if not places:
        return
    values = {"ids": [run_id], "paths": [path for path, _ in places],
              "turns": [turn for _, turn in places]}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE omni_approvals a SET state = 'closed' FROM omni_waits w "
                       "WHERE w.id = a.wait_id AND a.state = 'open' "
                       f"AND w.run_id = ANY(%(ids)s) AND {_THERE}", values)
        cursor.execute(_CLOSE_THERE, values)
        orphans = [row[0] for row in cursor.fetchall()]
    if orphans:
        _cancel(orphans, reason="the run that called it went on without it", code="caller_ended")


def cancel(run_ids: Sequence[int], *, reason: str, code: str = "canceled") -> list[int]:
    """End runs that have not ended: those that were. A step that is being done finishes, and
    nothing follows it.
    """
    if not run_ids:
        return []
    with transaction.atomic():
        _lock(run_ids)
        ended = _cancel(run_ids, reason=reason, code=code)
    if ended:
        transaction.on_commit(lambda: _tell(ended))
    return ended


def _tell(run_ids: Sequence[int]) -> None:
    notify.notifier.send(notify.RUNS, ",".join(map(str, run_ids)))
    notify.notifier.send(notify.WORK)


def cancel_by_event(run_ids: Sequence[int]) -> None:
    """End runs whose `cancel_on` was met."""
    cancel(run_ids, reason="an event of cancel_on came", code="cancel_on")


def look(wait_ids: Sequence[int]) -> None:
    """Search the store for events that came before these waits could be seen, and do what follows.
    """
    cancel_by_event(waits.look_and_apply(wait_ids))


def cancel_by(actor: str, run: Run) -> None:
    """A person ends a run. Raises InvalidInput when it has ended already."""
    if not cancel([run.pk], reason=f"canceled by {actor}"):
        raise InvalidInput(f"run {run.pk} has ended already", code="stale")
    audit.note(actor, "run.canceled", f"run:{run.pk}")


def sweep() -> tuple[list[int], list[int]]:
    """Take back runs whose lease ran out: (queued again, dead). Never executes anything.

    Sends nobody will say the outcome of become `unknown`.
    """
    with transaction.atomic():
        queued, dead = queue.take_back()
        for run in Run.objects.filter(pk__in=dead).select_related("workflow", "event"):
            alerts.run_ended_badly(run)
        if dead:
            follow_up(dead)
            interrupted.give_up_of(dead)
    if queued or dead:
        notify.notifier.send(notify.RUNS, ",".join(map(str, [*queued, *dead])))
    _give_up_sends()
    return queued, dead


def _give_up_sends() -> None:
    """What was being sent by a process that is gone, where no run comes back to it."""
    sends = interrupted.long_under_way()
    if not sends:
        return
    live = set(Run.objects.live().filter(
        pk__in=[run for _, run in sends if run is not None]).values_list("pk", flat=True))
    interrupted.give_up([id for id, run in sends if run not in live])


def _lock(run_ids: Sequence[int]) -> None:
    hold_lines(run_ids)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"ids": list(run_ids)})


def _cancel(run_ids: Sequence[int], *, reason: str, code: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, {"ids": list(run_ids), "reason": sanitize_text(reason[:4000]),
                                 "code": code})
        ended = [row[0] for row in cursor.fetchall()]
    if ended:
        follow_up(ended)
    return ended
