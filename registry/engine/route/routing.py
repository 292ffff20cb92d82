"""Hop 7: events that carry no `routed_at` yet meet the workflows; one decision each, stored."""

import logging
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from connections.models import by_id
from connections.payload import sanitize_text
from events.models import Conversation, Event
from events.outbox import echoes, limits
from events.store import derive, notify
from omni import failpoints
from omni.config import revision
from registry.engine.route import gates, matching
from registry.engine.run import alerts
from registry.engine.waits import endings, waits
from registry.engine.work import queue
from registry.models import RoutingDecision

logger = logging.getLogger("omni.registry")
BATCH = 100
_AWAY, _PASSING = "away", ("40", "55")  # SQLSTATE: deadlock and the like, a lock held
_WAITING = f"FROM omni_events e WHERE e.routed_at IS NULL AND NOT {echoes.HELD}"
_IN_ORDER = "ORDER BY e.id LIMIT %s FOR NO KEY UPDATE OF e SKIP LOCKED"
_UNROUTED = f"SELECT e.* {_WAITING} {_IN_ORDER}"
_THIS = f"SELECT e.* {_WAITING} AND e.id = %s {_IN_ORDER}"
_NEXT = f"SELECT e.id {_WAITING} ORDER BY e.id LIMIT %s"
_PLACES = """
SELECT p.id AS filed_as, k.*, ARRAY(SELECT m.id FROM omni_conversations m
    WHERE m.merged_into_id = k.id ORDER BY m.id) AS former_ids
FROM omni_conversations p JOIN omni_conversations k ON k.id = coalesce(p.merged_into_id, p.id)
WHERE p.id = ANY(%s::bigint[])
"""


def route(limit: int = BATCH) -> int:
    """Route up to `limit` events in one transaction; returns how many there were.

    Several workers may route at once: each takes rows no other holds. The unit of failure is the
    event: where a batch fails, each of its events is routed by itself, and one that cannot be is
    given the decision `routing failed` with the reason. Raises only when the database is away.
    """
    try:
        return _route(limit)
    except Exception as exc:  # around a task: whatever one event does, the others are routed
        if _sqlstate(exc) == _AWAY:
            raise
        logger.warning("A batch failed; its events are routed one by one.", exc_info=True)
        return _route_one_by_one(limit)


def _route_one_by_one(limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [limit])
        waiting = [event_id for (event_id,) in cursor.fetchall()]
    for event_id in waiting:
        try:
            _route(1, only=event_id)
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
    is_row = state.startswith((*_PASSING, "54"))  # 54: a row beyond a limit of the program
    return _AWAY if isinstance(exc, OperationalError | InterfaceError) and not is_row else state


def _give_up(event_id: int, reason: str) -> None:
    """Store that an event could not be routed; `POST events/<id>/replay/` or a rerun by hand begins
    anew.
    """
    with transaction.atomic():
        events, _ = _take(1, only=event_id)
        if not events:
            return
        event, now = events[0], queue.now()
        said = sanitize_text(f"routing failed: {reason}"[:4000])
        RoutingDecision.objects.bulk_create([RoutingDecision(
            event=event, instance_id=event.instance_id, reason=said, decided_at=now, matched=0,
            considered=[])], ignore_conflicts=True)
        Event.objects.filter(pk=event.pk).update(routed_at=now)
        alerts.routing_failed(event, said)


def _route(limit: int, *, only: int | None = None) -> int:
    """only: this event alone, with a savepoint around what may break the transaction."""
    careful = only is not None
    failpoints.hit("route.read")
    with transaction.atomic():
        events, settled = _take(limit, only=only)
        if not events:
            return 0
        decisions = _decide(events, careful=careful)
        passages = gates.approach([(event, effective) for event, decision in decisions
                                   for effective in decision.matches])
        hits = waits.hits_of(events)
        queue.lock_slots([*(key for passage in passages for key in passage.keys),
                          *(hit.wait.slot_key for hit in hits)])
        now = queue.now()
        endings.cancel_by_event(waits.apply(hits))
        for event, decision in decisions:
            if decision.loops and event.event_type != limits.LOOP_STOPPED:
                alerts.loop_stopped(event)
        passed = gates.pass_through(passages, now=now)
        RoutingDecision.objects.bulk_create(
            [_row(event, decision, passages, now) for event, decision in decisions],
            ignore_conflicts=True)
        Event.objects.filter(pk__in=[event.pk for event in events]).update(routed_at=now)
        endings.cancel(passed.restarted, reason="restarted by a newer event", code="restarted")
        moved = derive.derive(events)  # last: nothing else is locked while messages are held
        failpoints.hit("route.precommit")
    failpoints.hit("route.committed")
    _tell(passages, passed)
    derive.settle(moved)
    queue.hurry(settled)
    return len(events)


def _tell(passages: list[gates.Passage], passed: gates.Passed) -> None:
    """Say which runs there are now; and look for what came while their waits were not seen yet."""
    runs = [passage.run_id for passage in passages if passage.run_id is not None]
    if runs:
        notify.notifier.send(notify.RUNS, ",".join(map(str, dict.fromkeys(runs))))
    endings.look(passed.watches)


def _take(limit: int, *, only: int | None = None) -> echoes.Recognized:
    """Lock what is to be routed, with its instance and the conversation that was kept, when the
    one it was stored with was merged. Echoes are known as ours.

    Written as SQL because it is asked many times a second: composing the same query through the
    ORM each time cost more than running it. A contact is read when an expression asks for it.
    """
    events = list(Event.objects.raw(_UNROUTED, [limit]) if only is None
                  else Event.objects.raw(_THIS, [only, limit]))
    if not events:
        return echoes.Recognized([], set())
    revision.read()  # what was changed before one of them arrived counts for it
    instances = {id: by_id(id) for id in {event.instance_id for event in events}}
    places = {place.filed_as: place for place in Conversation.objects.raw(
        _PLACES, [list({event.conversation_id for event in events})])}
    for event in events:
        event.instance = instances[event.instance_id]
        event.conversation = places.get(event.conversation_id)
    return echoes.recognize(events, careful=only is not None)


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


def _row(event: Event, decision: matching.Decision, passages: list[gates.Passage],
         now: datetime) -> RoutingDecision:
    """The decision as it is stored: what matching said, and then the gates."""
    passed = {passage.effective.slug: passage for passage in passages if passage.event is event}
    considered = [_verdict(verdict, passed.get(verdict["workflow"]))
                  for verdict in decision.considered]
    return RoutingDecision(
        event=event, instance_id=event.instance_id, reason=decision.reason, decided_at=now,
        matched=sum(verdict["result"] in ("matched", "joined") for verdict in considered),
        considered=considered)


def _verdict(verdict: dict[str, Any], passage: gates.Passage | None) -> dict[str, Any]:
    if verdict["result"] != "matched" or passage is None or passage.said is None:
        return verdict
    said = passage.said
    notes = passage.wish.notes if passage.wish is not None else ()
    if said.kind == "refuse":
        return {**verdict, "result": said.result, "clause": "; ".join((said.clause, *notes))}
    if said.kind == "join":
        return {**verdict, "result": "joined", "run_id": passage.run_id,
                "clause": "; ".join(("debounce: part of a burst", *notes))}
    return {**verdict, "run_id": passage.run_id, "clause": "; ".join(notes)}
