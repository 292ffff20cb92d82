"""Sends whose process is gone: nobody will say what came of them, so they become `unknown`.

A second call with the same effect key meets such a row by itself (`attempts`); this is for the
sends that have no second call: those of the API, and of runs that have ended.
"""

from collections.abc import Iterable

from django.db import connection, transaction

from events.outbox import echoes
from events.store import notify

AFTER_SECONDS = 120  # no call takes longer, and one that does still writes its own outcome
REASON = "the process that was sending died; the message may have gone out"
_UNDER_WAY = """
SELECT id, run_id FROM omni_outbox
WHERE state = 'sending' AND started_at < omni_now() - %s * interval '1 second' ORDER BY id
"""
_GIVE_UP = """
UPDATE omni_outbox SET state = 'unknown', error_code = 'interrupted', error = %s,
    ended_at = clock_timestamp()
WHERE id = ANY(ARRAY(SELECT id FROM omni_outbox WHERE state = 'sending' AND {which}
                     ORDER BY id FOR UPDATE SKIP LOCKED))
RETURNING id
"""
_GIVE_UP_THESE = _GIVE_UP.format(which="id = ANY(%s)")
_GIVE_UP_OF_RUNS = _GIVE_UP.format(which="run_id = ANY(%s)")


def long_under_way() -> list[tuple[int, int | None]]:
    """Sends that should be over: (id, id of the run)."""
    with connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, [AFTER_SECONDS])
        return cursor.fetchall()


def give_up(outbox_ids: Iterable[int]) -> list[int]:
    """These sends become `unknown`, or `succeeded` where their echo came; those that were open."""
    return _give_up(_GIVE_UP_THESE, outbox_ids)


def give_up_of(run_ids: Iterable[int]) -> list[int]:
    """The same for what runs were sending when they died."""
    return _give_up(_GIVE_UP_OF_RUNS, run_ids)


def _give_up(query: str, ids: Iterable[int]) -> list[int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(query, [REASON, list(ids)])
        given_up = [row[0] for row in cursor.fetchall()]
        if given_up:
            echoes.look_back(given_up)
    if given_up:
        notify.notifier.send(notify.EVENTS)
    return given_up
