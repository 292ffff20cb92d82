"""What follows from events once they are routed: message state, and links to targets.

All of it can be made again from the events, so nothing here stops the routing of an event. What
could not be derived is kept in `omni_underived` with the reason, and the workers do it again; one
event that cannot be done never keeps the others waiting. An early receipt whose conversation is to
be joined is marked there in the same transaction, so that no death of a process loses it.
"""

import logging
from collections.abc import Sequence

from django.db import connection, transaction

from connections.envelope import NEWS_RELATIONS
from connections.storable import storable, storable_json
from events.models import Event
from events.store import late_receipts, state

logger = logging.getLogger("omni.events")
BATCH = 50
FIRST_SECONDS = 1.0  # until the first new try; every one after it waits twice as long
LONGEST_SECONDS = 3600.0
EARLY = "the conversation this receipt opened is to be joined with that of its message"

_NEWS = ", ".join(f"'{relation}'" for relation in NEWS_RELATIONS)
# An event is linked when it is routed, or when its target is. Events that are not routed yet are
# left to their own router, who holds them; the message they share is held (`state.lock`), so
# that one of the two sees what the other stored. Several candidates: the one that came first.
_LINK = f"""
UPDATE omni_events e SET target_event_id = l.target_id,
    conversation_id = CASE WHEN e.relation IN ({_NEWS})
        THEN coalesce(l.conversation_id, e.conversation_id)
        ELSE coalesce(e.conversation_id, l.conversation_id) END,
    contact_id = coalesce(e.contact_id, l.contact_id)
FROM (
    SELECT DISTINCT ON (id) * FROM (
        SELECT e.id, t.id AS target_id, t.conversation_id, t.contact_id, t.from_me,
            e.conversation_id AS was
        FROM omni_events e JOIN omni_events t
            ON t.instance_id = e.instance_id AND t.provider_message_id = e.target_message_id
        WHERE e.id = ANY(%(ids)s) AND e.target_event_id IS NULL
            AND t.event_type LIKE 'message.%%' AND t.id <> e.id
        UNION ALL
        SELECT e.id, t.id, t.conversation_id, t.contact_id, t.from_me, e.conversation_id
        FROM omni_events t JOIN omni_events e
            ON e.instance_id = t.instance_id AND e.target_message_id = t.provider_message_id
        WHERE t.id = ANY(%(ids)s) AND t.event_type LIKE 'message.%%' AND e.id <> t.id
            AND e.target_event_id IS NULL AND e.routed_at IS NOT NULL) found
    ORDER BY id, target_id) l
WHERE e.id = l.id
RETURNING e.id, e.conversation_id, l.was, e.relation = 'status_of' AND e.from_me AND l.from_me
"""
_MARK = """
INSERT INTO omni_underived (event_id, error, tries, next_try, since)
SELECT w.id, w.error, 1, clock_timestamp() + make_interval(secs => %s), clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, error text)
WHERE NOT EXISTS (SELECT 1 FROM omni_underived u WHERE u.event_id = w.id)
ORDER BY w.id ON CONFLICT (event_id) DO NOTHING
"""
_IS_DUE = "SELECT EXISTS (SELECT 1 FROM omni_underived WHERE %s OR next_try <= clock_timestamp())"
_DUE = """
SELECT event_id FROM omni_underived WHERE (%s OR next_try <= clock_timestamp()) AND event_id > %s
ORDER BY event_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_SETTLED = "DELETE FROM omni_underived WHERE event_id = %s AND error = %s"
_ONLY_EARLY = "UPDATE omni_underived SET error = %s WHERE event_id = ANY(%s)"
_LATER = """
UPDATE omni_underived u SET error = w.error, tries = u.tries + 1,
    next_try = clock_timestamp()
        + make_interval(secs => least(%s, %s * power(2, least(u.tries, 20))))
FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, error text) WHERE u.event_id = w.id
"""


def derive(events: Sequence[Event]) -> list[int]:
    """Bring what follows from these events up to date. Raises for no event, only for a database
    that is away.

    Returns the ids of receipts for our own messages that were moved to the conversation of their
    message, for `settle` after the commit. Holds the messages of the events until the transaction
    ends (`state.lock`).
    """
    if not any(event.provider_message_id or event.target_message_id for event in events):
        return []  # presence and the like
    moved: list[int] = []
    try:
        with transaction.atomic():
            failed = _derive(events, moved)
    except Exception:  # around a task: derived rows can be made again, routing must go on
        logger.warning("Derived rows of a batch failed; every event is done by itself.",
                       exc_info=True, extra={"first_event": events[0].pk, "events": len(events)})
        moved.clear()
        failed = _one_by_one(events, moved)
    if failed:
        _mark(failed)
    return moved


def settle(receipts: Sequence[int]) -> None:
    """Do what these receipts say about addresses (`late_receipts.settle`), each in a transaction of
    its own with its mark. What fails keeps the mark, for `redo`.
    """
    failed: dict[int, str] = {}
    for event_id in receipts:
        try:
            with transaction.atomic():
                late_receipts.settle(event_id)
                with connection.cursor() as cursor:
                    cursor.execute(_SETTLED, [event_id, EARLY])
        except Exception as exc:  # around a task: one receipt must not stop the others
            failed[event_id] = _reason(exc)
    if failed:
        logger.error("Early receipts could not be settled; it is tried again.",
                     extra={"events": sorted(failed)})
        with connection.cursor() as cursor:
            cursor.execute(_LATER, [LONGEST_SECONDS, FIRST_SECONDS, _lines(failed)])


def redo(*, at_once: bool = False) -> int:
    """Do again what could not be derived and is due; how many events that mended.

    at_once: also what is to be tried later.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IS_DUE, [at_once])
        if not cursor.fetchone()[0]:
            return 0
    mended, last, full = 0, 0, True
    while full:
        early: list[int] = []
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_DUE, [at_once, last, BATCH])
                marked = [event_id for (event_id,) in cursor.fetchall()]
            full = len(marked) == BATCH
            if marked:
                last = marked[-1]
                done, early = _redo(marked)
                mended += done
        settle(early)  # places are held before messages, never after
    return mended


def _redo(marked: Sequence[int]) -> tuple[int, list[int]]:
    """Try these events again; the caller holds their marks. How many marks could go, and which
    stay for `settle` alone.
    """
    events = list(Event.objects.filter(pk__in=marked).order_by("pk"))
    failed = _one_by_one(events, [])
    mended = [event_id for event_id in marked if event_id not in failed]
    early = sorted(late_receipts.among(mended)) if mended else []
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM omni_underived WHERE event_id = ANY(%s)",
                       [[event_id for event_id in mended if event_id not in early]])
        if early:
            cursor.execute(_ONLY_EARLY, [EARLY, early])
        cursor.execute(_LATER, [LONGEST_SECONDS, FIRST_SECONDS, _lines(
            {event_id: failed[event_id] for event_id in marked if event_id in failed})])
    return len(mended), early


def _derive(events: Sequence[Event], moved: list[int]) -> dict[int, str]:
    """All of it, in a few statements; the events whose part in a message had to be left out."""
    left_out = state.apply(events)
    named = [event.pk for event in events if event.provider_message_id or event.target_message_id]
    if named:
        with connection.cursor() as cursor:
            cursor.execute(_LINK, {"ids": named})
            early = [row[0] for row in cursor.fetchall()
                     if row[3] and row[1] and row[2] and row[1] != row[2]]
            if early:
                cursor.execute(_MARK, [FIRST_SECONDS, _lines(dict.fromkeys(early, EARLY))])
                moved += early
    return left_out


def _one_by_one(events: Sequence[Event], moved: list[int]) -> dict[int, str]:
    """Each event behind a savepoint of its own; those that failed, with the reason."""
    failed: dict[int, str] = {}
    try:
        with transaction.atomic():
            state.lock(state.messages_of(events))
            for event in events:
                try:
                    with transaction.atomic():
                        failed.update(_derive([event], moved))
                except Exception as exc:  # around a task: one event must not stop the others
                    failed[event.pk] = _reason(exc)
    except Exception as exc:  # around a task: not even the messages could be held
        failed = {event.pk: _reason(exc) for event in events}
    return failed


def _reason(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}".strip()


def _mark(failed: dict[int, str]) -> None:
    """Keep what could not be derived, for `redo`."""
    logger.error("Events could not be derived; it is tried again.",
                 extra={"events": sorted(failed)})
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [FIRST_SECONDS, _lines(failed)])


def _lines(failed: dict[int, str]) -> str:
    return storable_json([{"id": event_id, "error": storable(error[:2000])}
                          for event_id, error in failed.items()])
