"""The rows of runs that count at the gates, read for all keys of a batch at once.

The caller holds the keys, so nobody else adds a row to what is counted here.
"""

from collections.abc import Sequence

from django.db import connection

from connections.storable import storable_json
from registry.engine.route import gate_keys, gatekeeping
from registry.engine.route.gatekeeping import Burst, Facts, Live, Wish
from registry.engine.waits import waits

_ONCE = """
SELECT w.key, greatest(
    (SELECT max(created_at) FROM omni_runs WHERE once_key = w.key),
    (SELECT max(created_at) FROM omni_runs WHERE once_key = w.former
     AND instance_id = w.instance_id))
FROM jsonb_to_recordset(%s::jsonb) AS w(key text, former text, instance_id bigint)
"""
_BURSTS = """
SELECT burst_key, id, batch, burst_until, throttle_at FROM omni_runs
WHERE burst_key = ANY(%s) AND state = 'waiting' AND started_at IS NULL FOR UPDATE
"""
_THROTTLED = """
SELECT w.key, r.throttle_at FROM jsonb_to_recordset(%s::jsonb) AS w(key text, former text,
    instance_id bigint, most int, per float)
CROSS JOIN LATERAL (
    (SELECT throttle_at FROM omni_runs WHERE throttle_key = w.key
     ORDER BY throttle_at DESC LIMIT w.most)
    UNION ALL
    (SELECT throttle_at FROM omni_runs WHERE throttle_key = w.former
     AND instance_id = w.instance_id AND throttle_at > omni_now() - make_interval(secs => w.per)
     ORDER BY throttle_at DESC LIMIT w.most)) r
ORDER BY w.key, r.throttle_at
"""
_LIVE = """
SELECT slot_key, id, state FROM omni_runs WHERE slot_key = ANY(%s)
  AND state IN ('queued', 'blocked', 'running', 'waiting') ORDER BY slot_key, ticket
"""


def read(wishes: Sequence[Wish]) -> Facts:
    """The rows that count for these keys; nothing is asked for gates nobody has."""
    facts = Facts()
    once = [wish.once_key for wish in wishes if wish.once_key]
    bursts = [wish.burst_key for wish in wishes if wish.burst_key]
    throttles = {wish.throttle_key: wish.throttle for wish in wishes
                 if wish.throttle_key and wish.throttle}
    slots = [wish.slot_key for wish in wishes if wish.slot_key and wish.concurrency
             and gatekeeping.counts_line(wish.concurrency)]
    with connection.cursor() as cursor:
        if once:
            cursor.execute(_ONCE, [storable_json(
                [gate_keys.with_former(key) for key in sorted(set(once))])])
            facts.once = {key: last for key, last in cursor.fetchall() if last is not None}
        if bursts:
            cursor.execute(_BURSTS, [bursts])
            facts.bursts = {key: Burst(id, waits.plain(batch), until, earliest)
                            for key, id, batch, until, earliest in cursor.fetchall()}
        if throttles:
            cursor.execute(_THROTTLED, [storable_json(
                [{**gate_keys.with_former(key), "most": gate.limit, "per": gate.per}
                 for key, gate in throttles.items()])])
            for key, moment in cursor.fetchall():
                facts.throttled.setdefault(key, []).append(moment)
        if slots:
            cursor.execute(_LIVE, [slots])
            for key, id, state in cursor.fetchall():
                facts.slots.setdefault(key, []).append(Live(id, state))
    return facts
