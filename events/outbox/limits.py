"""The limiter below all workflows: how much a run may send, counted from the outbox.

Per account and per person (under all names of the conversation) a number of messages a minute;
beyond it a run waits (`Held`), nothing is lost. And a breaker: when ten runs answered what came
from one conversation within a minute, two machines are talking to each other; the conversation
gets no answers for a while (`loop_guard`). What is sent there because of events from elsewhere
(alerts, reminders) is no answer: it is not counted, and it is never refused, it waits. What people
send through the API or the admin is not limited.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from events.models import Event
from omni.errors import Held, InvalidInput

WINDOW_SECONDS = 60.0
LOOP_STOPPED = "system.loop.stopped"
_BACK = """
SELECT %(window)s - extract(epoch FROM omni_now() - o.started_at) FROM omni_outbox o
WHERE o.run_id IS NOT NULL AND o.instance_id = %(instance)s {whose}
ORDER BY o.started_at DESC OFFSET %(before)s LIMIT 1
"""
_BACK_INSTANCE = _BACK.format(whose="")
# Every name of each place: what one is asked for counts under all of them (phone and LID).
_NAMES = """
WITH w AS (SELECT DISTINCT instance_id, recipient
           FROM unnest({instances}::bigint[], {recipients}::text[]) AS w(instance_id, recipient)),
rows AS (
    SELECT w.*, coalesce(c.merged_into_id, c.id) AS kept FROM w JOIN omni_conversations c
        ON c.instance_id = w.instance_id AND c.ref = w.recipient
    UNION
    SELECT w.*, coalesce(c.merged_into_id, c.id) FROM w JOIN omni_conversation_aliases a
        ON a.instance_id = w.instance_id AND a.ref = w.recipient
    JOIN omni_conversations c ON c.id = a.conversation_id),
names AS (
    SELECT w.*, w.recipient AS name FROM w
    UNION SELECT r.instance_id, r.recipient, c.ref FROM rows r JOIN omni_conversations c
        ON c.id = r.kept
    UNION SELECT r.instance_id, r.recipient, a.ref FROM rows r JOIN omni_conversation_aliases a
        ON a.conversation_id = r.kept)
"""
_BACK_PERSON = _NAMES.format(
    instances="ARRAY[%(instance)s]", recipients="ARRAY[%(recipient)s]") + _BACK.format(
    whose="AND o.recipient IN (SELECT name FROM names)")
_NAMES = _NAMES.format(instances="%s", recipients="%s")
_RUNS = _NAMES + """
SELECT w.instance_id, w.recipient, count(DISTINCT o.run_id)
FROM names w JOIN omni_outbox o ON o.instance_id = w.instance_id AND o.recipient = w.name
    AND o.run_id IS NOT NULL AND o.run_id <> %s
    AND o.started_at > omni_now() - %s * interval '1 second'
LEFT JOIN omni_events c ON c.id = o.caused_by_id  -- answers: the cause came from there, or is gone
WHERE c.id IS NULL OR (c.instance_id = o.instance_id
    AND (c.conversation_id = o.conversation_id OR EXISTS (
        SELECT 1 FROM names n WHERE n.instance_id = w.instance_id AND n.recipient = w.recipient
        AND n.name = c.conversation_ref)))
GROUP BY 1, 2
"""
_STOPPED = _NAMES + """
SELECT DISTINCT w.instance_id, w.recipient
FROM names w JOIN omni_events e ON e.instance_id = w.instance_id AND e.event_type = %s
    AND e.conversation_ref = w.name
    AND e.occurred_at > omni_now() - %s * interval '1 minute'
"""
Place = tuple[int, str]  # instance id, recipient


def is_answer(cause: Event | None, *, instance_id: int, recipient: str,
              conversation_id: int | None) -> bool:
    """Whether a message goes to where its cause came from."""
    return cause is None or (cause.instance_id == instance_id and (
        cause.conversation_ref == recipient
        or (conversation_id is not None and cause.conversation_id == conversation_id)))


def check(*, instance_id: int, recipient: str, run_id: int, effect_key: str,
          answers: bool = True) -> None:
    """Whether a run may send this now. Raises Held with the seconds to wait, or for an answer
    InvalidInput with code `loop_guard`. A send that was begun before is not counted again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM omni_outbox WHERE effect_key = %s", [effect_key])
        if cursor.fetchone():
            return
        place = (instance_id, recipient)
        loop = looping([place], run_id=run_id).get(place) if answers else None
        if loop:
            raise InvalidInput(loop.reason, code="loop_guard")
        facts = {"window": WINDOW_SECONDS, "instance": instance_id, "recipient": recipient}
        for setting, query, whose in (
                ("OMNI_SENDS_PER_MINUTE", _BACK_INSTANCE, "this account"),
                ("OMNI_SENDS_PER_PERSON", _BACK_PERSON, "this person")):
            limit = getattr(settings, setting)
            if limit <= 0:
                continue
            cursor.execute(query, {**facts, "before": limit - 1})
            row = cursor.fetchone()
            if row and row[0] > 0:
                raise Held(f"{limit} messages a minute to {whose} are reached ({setting})",
                           retry_after=float(row[0]))


class Loop(NamedTuple):
    """Why a place gets no answers. known: it was stopped before."""

    reason: str
    known: bool


def looping(places: Iterable[Place], *, run_id: int = 0) -> dict[Place, Loop]:
    """The places that get no answers now. run_id: a run that is not counted."""
    wanted = sorted(set(places))
    most = settings.OMNI_REPLIES_PER_MINUTE
    if not wanted or most <= 0:
        return {}
    columns: list[Any] = [[place[0] for place in wanted], [place[1] for place in wanted]]
    with connection.cursor() as cursor:
        cursor.execute(_STOPPED, [*columns, LOOP_STOPPED, settings.OMNI_LOOP_PAUSE_MINUTES])
        loops = {(row[0], row[1]): Loop(
            "automatic answers to this conversation are stopped for "
            f"{settings.OMNI_LOOP_PAUSE_MINUTES:g} minutes (OMNI_LOOP_PAUSE_MINUTES): it looked "
            "like a loop", known=True)
            for row in cursor.fetchall()}
        cursor.execute(_RUNS, [*columns, run_id, WINDOW_SECONDS])
        for instance_id, recipient, runs in cursor.fetchall():
            if runs >= most:
                loops.setdefault((instance_id, recipient), Loop(
                    f"{runs} runs answered this conversation within a minute, {most} are most "
                    "(OMNI_REPLIES_PER_MINUTE): this looks like two machines talking", known=False))
    return loops

