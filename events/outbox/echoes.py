"""Echoes: the provider's own events of what we sent, told from what a person wrote by hand.

A provider may post the event of our message before it answers our call. So an outbound event waits,
unrouted, while a send to its place is under way (`HELD`), or one of its words to a place that may
be the same: an echo may come under a name of the place that nobody has met yet. Then the outbox
says whose it is: by our reference, by the message's id, or by what was said. An echo belongs to one
send, and a send whose outcome is not known is settled by it.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction

from connections.storable import storable_json
from events.models import Event
from events.outbox import likeness, name_fit
from events.outbox.echo_rows import CLAIM, HELD, NOT_LIVE, OF_EVENTS, OF_SENDS, STRANGE

__all__ = ["HELD", "Recognized", "look_back", "recognize"]
logger = logging.getLogger("omni.events")
_FACTS = ("client_ref", "caused_by_id", "hop", "trace_id", "auto_generated")


class Recognized(NamedTuple):
    """events: those that can be routed now. runs: ids of those whose send was settled just now."""

    events: list[Event]
    runs: set[int]


def recognize(events: Sequence[Event], *, careful: bool = False) -> Recognized:
    """Fill in whose echo each of these locked events is.

    Another router may take the send an event was matched with: such an event is left for the next
    look. careful: one by one, each in a savepoint, because one broke the transaction.
    """
    asked = [event for event in events if can_be_echo(event)]
    if not asked:
        return Recognized(list(events), set())
    later: set[int] = set()
    runs: set[int] = set()
    for batch in ([[event] for event in asked] if careful else [asked]):
        try:
            with transaction.atomic() if careful else nullcontext():
                again, settled = _recognize(batch)
            later, runs = later | again, runs | settled
        except DatabaseError:
            if not careful:
                raise
            logger.exception("An echo was not looked for.", extra={"event_id": batch[0].pk})
    return Recognized([event for event in events if event.pk not in later], runs)


def _recognize(events: list[Event]) -> tuple[set[int], set[int]]:
    """Ids of the events that have to be looked at again, and of the runs whose send was settled."""
    pairs, again = likeness.assign(events, _sends_of(events))
    claimed = {claim.event_id: claim for claim in _claim(pairs)}
    for event, _ in pairs:
        for name, value in claimed[event.pk].facts.items() if event.pk in claimed else ():
            setattr(event, name, value)
    return (again | {event.pk for event, _ in pairs if event.pk not in claimed},
            {claim.run_id for claim in claimed.values() if claim.run_id is not None})


def _sends_of(events: Sequence[Event]) -> dict[int, list[likeness.Send]]:
    """The sends each event may be the echo of."""
    with connection.cursor() as cursor:
        cursor.execute(OF_EVENTS, [[event.pk for event in events]])
        found = _by_event(cursor.fetchall())
    strangers = [event for event in events
                 if any(send.elsewhere for send in found.get(event.pk, ()))]
    return {**found, **name_fit.keep(strangers, found)} if strangers else found


def look_back(outbox_ids: Iterable[int]) -> set[int]:
    """Settle sends that have just become `unknown`, or were refused, by echoes that came before;
    those settled.

    Called inside the transaction that made them so. An event a router holds is not waited
    for: the router settles the send.
    """
    wanted = set(outbox_ids)
    with connection.cursor() as cursor:
        cursor.execute(OF_SENDS, [list(wanted)])
        found = _by_event([row[:8] for row in cursor.fetchall()])
    settled = _settle(found, wanted)
    wanted -= settled
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute(STRANGE, [list(wanted)])
            ids = sorted({row[0] for row in cursor.fetchall()})
        if ids:
            events = Event.objects.in_bulk(ids)
            settled |= _settle(_sends_of([events[pk] for pk in ids]), wanted)
    return settled


def _settle(found: dict[int, list[likeness.Send]], wanted: set[int]) -> set[int]:
    """Ids of those of the wanted sends whose echo is found."""
    events = Event.objects.in_bulk(list(found)) if found else {}
    pairs, _ = likeness.assign([events[pk] for pk in sorted(events)], found)
    claims = _claim([(event, send) for event, send in pairs if send.id in wanted])
    return {claim.outbox_id for claim in claims}


def can_be_echo(event: Event) -> bool:
    """Whether it may be the provider's own event of something we sent."""
    return (event.direction == "outbound" and event.source not in NOT_LIVE
            and event.event_type.startswith("message.")
            and not event.event_type.startswith("message.status.")
            and (event.client_ref is None or event.caused_by_id is None))


def _by_event(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[likeness.Send]]:
    found: dict[int, list[likeness.Send]] = {}
    for event_id, *send in rows:
        found.setdefault(event_id, []).append(likeness.Send(*send))
    return found


class _Claimed(NamedTuple):
    """An event that was tied to its send. run_id: of the send, where it was settled by that."""

    event_id: int
    outbox_id: int
    run_id: int | None
    facts: dict[str, Any]


def _claim(pairs: Sequence[tuple[Event, likeness.Send]]) -> list[_Claimed]:
    """Tie events to their sends, in one statement; those that were tied."""
    if not pairs:
        return []
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [storable_json([
            {"event_id": event.pk, "outbox_id": send.id, "exact": send.exact,
             "moves": send.is_settled and not send.exact}
            for event, send in pairs])])
        return [_Claimed(event_id, outbox_id, run_id, dict(zip(_FACTS, facts, strict=True)))
                for event_id, outbox_id, run_id, *facts in cursor.fetchall()]
