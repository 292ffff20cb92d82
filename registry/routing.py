"""Hop 7: events that carry no `routed_at` yet meet the workflows; one decision each, stored."""

import logging
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction

from connections.models import by_id
from events import derive, echoes, limits, notify
from events.models import Conversation, Event
from omni import failpoints
from registry import alerts, endings, gates, matching, queue, waits
from registry.models import RoutingDecision

logger = logging.getLogger("omni.registry")
BATCH = 100
_UNROUTED = f"""
SELECT e.* FROM omni_events e WHERE e.routed_at IS NULL AND NOT {echoes.HELD}
ORDER BY e.id LIMIT %s FOR NO KEY UPDATE OF e SKIP LOCKED
"""
_PLACES = """
SELECT p.id AS filed_as, k.*, ARRAY(SELECT m.id FROM omni_conversations m
    WHERE m.merged_into_id = k.id ORDER BY m.id) AS former_ids
FROM omni_conversations p JOIN omni_conversations k ON k.id = coalesce(p.merged_into_id, p.id)
WHERE p.id = ANY(%s::bigint[])
"""


def route(limit: int = BATCH) -> int:
    """Route up to `limit` events in one transaction; returns how many there were.

    Several workers may route at once: each takes rows no other holds. A matching that fails is the
    decision of its event, never the end of the batch.
    """
    try:
        return _route(limit, careful=False)
    except DatabaseError:
        return _route(limit, careful=True)


def _route(limit: int, *, careful: bool) -> int:
    """careful: a savepoint around each matching, because one broke the transaction."""
    failpoints.hit("route.read")
    with transaction.atomic():
        events, settled = _take(limit, careful=careful)
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
        derive.derive(events)  # last: nothing else is locked while messages are held
        failpoints.hit("route.precommit")
    _tell(passages, passed)
    queue.hurry(settled)
    return len(events)


def _tell(passages: list[gates.Passage], passed: gates.Passed) -> None:
    """Say which runs there are now; and look for what came while their waits were not seen yet."""
    runs = [passage.run_id for passage in passages if passage.run_id is not None]
    if runs:
        notify.notifier.send(notify.RUNS, ",".join(map(str, dict.fromkeys(runs))))
    endings.look(passed.watches)


def _take(limit: int, *, careful: bool) -> echoes.Recognized:
    """Lock what is to be routed, with its instance and the conversation that was kept, when the
    one it was stored with was merged. Echoes are known as ours.

    Written as SQL because it is asked many times a second: composing the same query through the
    ORM each time cost more than running it. A contact is read when an expression asks for it.
    """
    events = list(Event.objects.raw(_UNROUTED, [limit]))
    if not events:
        return echoes.Recognized([], set())
    instances = {id: by_id(id) for id in {event.instance_id for event in events}}
    places = {place.filed_as: place for place in Conversation.objects.raw(
        _PLACES, [list({event.conversation_id for event in events})])}
    for event in events:
        event.instance = instances[event.instance_id]
        event.conversation = places.get(event.conversation_id)
    return echoes.recognize(events, careful=careful)


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
