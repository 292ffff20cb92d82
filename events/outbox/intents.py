"""The statement that begins an effect: its outbox row, committed before the call is made.

One statement is everything that must be true at that moment: the run is still ours and its
outcomes so far are stored (a run's `before` puts its fence in front), the account is on, the
limiter has nothing against it, and nobody has begun the same effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from connections.storable import storable_json
from events.models import EventAction, OutboxMessage
from events.outbox import limits
from events.store import outcomes
from omni import statements

# Writes the intent behind an UPDATE (without RETURNING, each value cast) that fences a run, with
# the run's outcomes; whether the run was still ours. Nothing is written when it was not.
Write = Callable[[str, Sequence[Any], Sequence[EventAction]], bool]
Before = Callable[[Write], None]

_NOBODY = "held AS (SELECT 1)"
_SAID = f"""
said AS MATERIALIZED ({limits.ASK.format(rows="held, account, LATERAL ")}
    WHERE account.is_on AND NOT EXISTS (SELECT 1 FROM known)),"""
_UNLIMITED = """
said AS (SELECT '' AS verdict, 0::float AS seconds, 0::bigint AS runs, omni_now() AS at),"""
_BEGIN = """
WITH {held},
account AS (SELECT i.enabled AND i.archived_at IS NULL AS is_on FROM omni_instances i
            WHERE i.id = %s::bigint),
known AS (SELECT 1 FROM omni_outbox o WHERE o.effect_key = %s::text),{said}
begun AS (
    INSERT INTO omni_outbox (instance_id, conversation_id, effect_key, kind, recipient, request,
        request_hash, state, attempts, token, run_id, caused_by_id, started_at, created_at,
        error, error_code, answer, resolution)
    SELECT %s::bigint, %s::bigint, %s::text, %s::text, %s::text, %s::jsonb, %s::text, 'sending', 1,
        %s::text, %s::bigint, %s::bigint, said.at, clock_timestamp(), '', '', '{{}}', ''
    FROM held, account, said
    WHERE account.is_on AND said.verdict = '' AND NOT EXISTS (SELECT 1 FROM known)
    ON CONFLICT (effect_key) DO NOTHING RETURNING id, started_at)
SELECT (SELECT count(*) FROM held), b.id, b.started_at, coalesce(a.is_on, false),
    EXISTS (SELECT 1 FROM known), coalesce(s.verdict, ''), coalesce(s.seconds, 0),
    coalesce(s.runs, 0)
FROM (SELECT) one LEFT JOIN begun b ON true LEFT JOIN account a ON true LEFT JOIN said s ON true
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What came of it. outbox_id: of the new row, None when the effect must not be done now.

    is_on: of the account. is_known: somebody has begun this effect before. verdict, seconds, runs:
    of the limiter (`limits.refuse`).
    """

    outbox_id: int | None
    started_at: datetime | None
    is_on: bool
    is_known: bool
    verdict: str
    seconds: float
    runs: int


def begin(row: OutboxMessage, *, asked: Sequence[Any] | None, before: Before | None) -> Begun:
    """Commit the intent. asked: the values of `limits.ASK`, None when nothing is limited.

    Raises what `before` raises, for a run that is not ours any more.
    """
    found: list[tuple[Any, ...]] = []
    account = [row.instance_id, row.effect_key, *(asked or ())]
    own = [row.instance_id, row.conversation_id, row.effect_key, row.kind, row.recipient,
           storable_json(row.request), row.request_hash, row.token, row.run_id, row.caused_by_id]

    def write(update: str, values: Sequence[Any], rows: Sequence[EventAction]) -> bool:
        fence = [*values, outcomes.as_json(rows)] if update else []
        found[:] = statements.execute(_statement(update, asked is not None),
                                      [*fence, *account, *own])
        return found[0][0] == 1

    if before is None:
        write("", (), ())
    else:
        before(write)
    return Begun(*found[0][1:])


@lru_cache(maxsize=16)
def _statement(update: str, is_limited: bool) -> str:
    held = outcomes.BEHIND.format(update=update) if update else _NOBODY
    return _BEGIN.format(held=held, said=_SAID if is_limited else _UNLIMITED)
