"""The limiter below all workflows: how much a run may send, counted from the outbox.

Per account and per person (under all names of the conversation) a number of messages a minute;
beyond it a run waits (`Held`), nothing is lost. And a breaker: when ten runs answered one person
within a minute, two machines are talking to each other; the conversation gets no automatic messages
for a while (`loop_guard`). What people send through the API or the admin is not limited.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

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
GROUP BY 1, 2
"""
_STOPPED = _NAMES + """
SELECT DISTINCT w.instance_id, w.recipient
FROM names w JOIN omni_events e ON e.instance_id = w.instance_id AND e.event_type = %s
    AND e.conversation_ref = w.name
    AND e.occurred_at > omni_now() - %s * interval '1 minute'
"""
Place = tuple[int, str]  # instance id, recipient


def check(*, instance_id: int, recipient: str, run_id: int, effect_key: str) -> None:
    """Whether a run may send this now. Raises Held with the seconds to wait, or InvalidInput with
    code `loop_guard`. A send that was begun before is not counted again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM omni_outbox WHERE effect_key = %s", [effect_key])
        if cursor.fetchone():
            return
        loop = looping([(instance_id, recipient)], run_id=run_id).get((instance_id, recipient))
        if loop:
            raise InvalidInput(loop.reason, code="loop_guard")
        facts = {"window": WINDOW_SECONDS, "instance": instance_id, "recipient": recipient}
        for limit, query, whose in (
                (settings.OMNI_SENDS_PER_MINUTE, _BACK_INSTANCE, "this account"),
                (settings.OMNI_SENDS_PER_PERSON, _BACK_PERSON, "this person")):
            if limit <= 0:
                continue
            cursor.execute(query, {**facts, "before": limit - 1})
            row = cursor.fetchone()
            if row and row[0] > 0:
                raise Held(f"{limit} messages a minute to {whose} are reached",
                           retry_after=float(row[0]))


class Loop(NamedTuple):
    """Why a place gets no automatic message. known: it was stopped before."""

    reason: str
    known: bool


def looping(places: Iterable[Place], *, run_id: int = 0) -> dict[Place, Loop]:
    """The places that get no automatic message now. run_id: a run that is not counted."""
    wanted = sorted(set(places))
    most = settings.OMNI_REPLIES_PER_MINUTE
    if not wanted or most <= 0:
        return {}
    columns: list[Any] = [[place[0] for place in wanted], [place[1] for place in wanted]]
    with connection.cursor() as cursor:
        cursor.execute(_STOPPED, [*columns, LOOP_STOPPED, settings.OMNI_LOOP_PAUSE_MINUTES])
        loops = {(row[0], row[1]): Loop(
            "automatic messages to this conversation are stopped for "
            f"{settings.OMNI_LOOP_PAUSE_MINUTES:g} minutes: it looked like a loop", known=True)
            for row in cursor.fetchall()}
        cursor.execute(_RUNS, [*columns, run_id, WINDOW_SECONDS])
        for instance_id, recipient, runs in cursor.fetchall():
            if runs >= most:
                loops.setdefault((instance_id, recipient), Loop(
                    f"{runs} runs answered this conversation within a minute, {most} are most "
                    "(OMNI_REPLIES_PER_MINUTE): this looks like two machines talking", known=False))
    return loops

