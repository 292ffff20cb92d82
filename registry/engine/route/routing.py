"""Hop 7: events that carry no `routed_at` yet meet the workflows; one decision each, stored."""

import logging
from contextlib import nullcontext

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from connections.payload import sanitize_text
from events.models import Event
from events.outbox import limits
from events.store import derive, notify
from omni import failpoints
from registry.engine.route import gates, inbox, matching, records
from registry.engine.run import alerts
from registry.engine.waits import endings, waits
from registry.engine.work import queue

logger = logging.getLogger("omni.registry")
_AWAY, _PASSING = "away", ("40", "55")  # SQLSTATE: deadlock and the like, a lock held


def route(limit: int = inbox.BATCH, *, hands: gates.Hands | None = None) -> int:
    """Route up to `limit` events in one transaction; returns how many there were.

    hands: a worker that begins what may begin at once. The unit of failure is the event: where a
    batch fails, each of its events is routed by itself, and one that cannot be is given the
    decision `routing failed` with the reason. Raises only when the database is away.
    """
    try:
        return _route(limit, hands=hands)
    except Exception as exc:  # around a task: whatever one event does, the others are routed
        if _sqlstate(exc) == _AWAY:
            raise
        logger.warning("A batch failed; its events are routed one by one.", exc_info=True)
        return _route_one_by_one(limit, hands)


def _route_one_by_one(limit: int, hands: gates.Hands | None) -> int:
    waiting = inbox.waiting(limit)
    for event_id in waiting:
        try:
            _route(1, only=event_id, hands=hands)
        except Exception as exc:  # around a task: this event's alone
            state = _sqlstate(exc)
            if state == _AWAY:
                raise
            if state.startswith(_PASSING):
                continue  # two workers met: the event is still there for the next turn
            logger.exception("Routing failed.", extra={"event_id": event_id})
            _give_up(event_id, f"{type(exc).__name__}: {exc}")
    return len(waiting)


def _sqlstate(exc: BaseException) -> str:
    """The code of an error of the database, "" for one of our own, _AWAY when it is not there."""
    if not isinstance(exc, DatabaseError | InterfaceError):
        return ""
    state = getattr(exc.__cause__, "sqlstate", None) or ""
    # 54: a row beyond a limit of the program; 57014: a statement that took too long
    is_row = state.startswith((*_PASSING, "54", "57014"))
    return _AWAY if isinstance(exc, OperationalError | InterfaceError) and not is_row else state


def _give_up(event_id: int, reason: str) -> None:
    """Store that an event could not be routed; `POST events/<id>/replay/` or a rerun by hand begins
    anew.
    """
    with transaction.atomic():
        batch = inbox.take(1, only=event_id)
        if batch.now is None or not batch.events:
            return
        said = sanitize_text(f"routing failed: {reason}"[:4000])
        records.store([(batch.events[0], matching.Decision(reason=said))], [], now=batch.now,
                      hands=None)
        alerts.routing_failed(batch.events[0], said)


def _route(limit: int, *, only: int | None = None, hands: gates.Hands | None = None) -> int:
    """only: this event alone, with a savepoint around what may break the transaction."""
    passages: list[gates.Passage] = []
    try:
        return _route_batch(limit, passages, only=only, hands=hands)
    finally:
        if hands is not None:
            for passage in passages:
                if passage.is_reserved:
                    hands.give_back(passage.event.instance_id)


def _route_batch(limit: int, passages: list[gates.Passage], *, only: int | None,
                 hands: gates.Hands | None) -> int:
    """passages: filled with what was matched; of those whose run was begun nothing is reserved any
    more.
    """
    careful = only is not None
    failpoints.hit("route.read")
    with transaction.atomic():
        batch = inbox.take(limit, only=only)
        if batch.now is None or not batch.events:
            return 0
        decisions = _decide(batch.events, careful=careful)
        passages += gates.approach([(event, effective) for event, decision in decisions
                                    for effective in decision.matches])
        hits = waits.hits_of(batch.events) if batch.has_waits else []
        _lock([*(key for passage in passages for key in passage.keys),
               *(hit.wait.slot_key for hit in hits)], passages)
        if hits:
            endings.cancel_by_event(waits.apply(hits))
        for event, decision in decisions:
            if decision.loops and event.event_type != limits.LOOP_STOPPED:
                alerts.loop_stopped(event)
        gates.pass_through(passages, now=batch.now, hands=hands)
        rest = records.store(decisions, passages, now=batch.now, hands=hands)
        passed = gates.follow_up(passages)
        endings.cancel(passed.restarted, reason="restarted by a newer event", code="restarted")
        moved = derive.derive(rest)  # last: nothing else is locked while messages are held
        failpoints.hit("route.precommit")
    failpoints.hit("route.committed")
    if hands is not None:
        _hand_over(passages, hands)
    _tell(passages, passed)
    derive.settle(moved)
    queue.hurry(batch.settled)
    return len(batch.events)


def _lock(keys: list[str | None], passages: list[gates.Passage]) -> None:
    """Hold the keys, but one that only a new run enters: the database takes it then."""
    wanted = {key for key in keys if key is not None}
    if len(wanted) > 1 or wanted - {passage.wish.slot_key for passage in passages
                                    if passage.wish and not passage.wish.counts}:
        queue.lock_slots(wanted)


def _hand_over(passages: list[gates.Passage], hands: gates.Hands) -> None:
    """Begin the runs that were stored as at work here, with what is in memory of them."""
    for passage in passages:
        if passage.begun_at is not None:
            assert passage.run_id is not None
            run = gates.run_of(passage)
            passage.is_reserved = False
            hands.begin(queue.Claim(passage.run_id, 1, 0, passage.begun_at, run.instance_id), run,
                        reserved=True)


def _tell(passages: list[gates.Passage], passed: gates.Passed) -> None:
    """Say which runs there are now; and look for what came while their waits were not seen yet."""
    runs = [passage.run_id for passage in passages if passage.run_id is not None]
    if runs:
        notify.notifier.send(notify.RUNS, ",".join(map(str, dict.fromkeys(runs))))
    if any(passage.is_queued for passage in passages):
        notify.notifier.send(notify.WORK)
    endings.look(passed.watches)


def _decide(events: list[Event], *, careful: bool) -> list[tuple[Event, matching.Decision]]:
    on = matching.table()
    decisions = []
    for event in events:
        try:
            with transaction.atomic() if careful else nullcontext():
                decision = matching.match(event, on)
        except Exception as exc:  # around a task: one event must not stop the others
            if isinstance(exc, DatabaseError) and not careful:
                raise
            logger.exception("Matching failed.", extra={"event_id": event.pk})
            decision = matching.Decision(reason=f"matching failed: {type(exc).__name__}: {exc}")
        decisions.append((event, decision))
    return decisions
