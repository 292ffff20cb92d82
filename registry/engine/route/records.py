"""Writes what routing came to: the runs, one decision per event, its mark, and the first state of
the messages it brings. One statement for a batch.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from connections.storable import storable_json
from events.models import Event
from events.store import outcomes, state
from omni import statements
from registry.engine.route import at_once
from registry.engine.route.gates import Hands, Passage, run_row
from registry.engine.route.matching import Decision
from registry.engine.run.contract import Ended

_RUNS = """
INSERT INTO omni_runs (instance_id, event_id, workflow_id, version_id, replay_no, inputs, state,
    reason, code, priority, slot_key, slot_limit, once_key, burst_key, burst_until, batch,
    throttle_key, throttle_at, available_at, lease_owner, lease_until, started_at, ended_at, token,
    deaths, output, step_path, deadline, parent_path, parent_iteration, depth, progress, created_at)
SELECT instance_id, event_id, workflow_id, version_id, 0, inputs, state, reason, code, priority,
    slot_key, slot_limit, once_key, burst_key, burst_until, batch, throttle_key, throttle_at,
    coalesce(due, n.at), owner,
    CASE state WHEN 'running' THEN omni_now() + n.lease * interval '1 second' END,
    CASE WHEN begins THEN n.at END, CASE WHEN code <> '' THEN n.at END, begins::int, 0,
    CASE WHEN code <> '' THEN '{}'::jsonb END, '', deadline, '', '', 0, '{}', n.at
FROM given n, jsonb_to_recordset(n.runs) AS r(instance_id bigint, event_id bigint,
    workflow_id bigint, version_id bigint, inputs jsonb, state text, priority int, slot_key text,
    slot_limit int, once_key text, burst_key text, burst_until timestamptz, batch jsonb,
    throttle_key text, throttle_at timestamptz, due timestamptz, deadline timestamptz, owner text,
    reason text, code text, begins bool, n int)
ORDER BY r.n
ON CONFLICT (event_id, workflow_id, replay_no) WHERE parent_id IS NULL DO NOTHING
RETURNING id, event_id, workflow_id, state = 'running' AS begun
"""
# A verdict that opens a run, or joins one opened in this batch, says so by event and workflow.
_DECISIONS = """
INSERT INTO omni_routing_decisions (event_id, instance_id, matched, reason, considered, decided_at)
SELECT d.event_id, d.instance_id, d.matched, d.reason, (
    SELECT coalesce(jsonb_agg(CASE WHEN v ? 'opens' THEN v - 'opens' || jsonb_build_object(
        'run_id', (SELECT o.id FROM opened o WHERE o.event_id = (v->'opens'->>0)::bigint
                   AND o.workflow_id = (v->'opens'->>1)::bigint)) ELSE v END ORDER BY place), '[]')
    FROM jsonb_array_elements(d.considered) WITH ORDINALITY AS e(v, place)), omni_now()
FROM given n, jsonb_to_recordset(n.decisions) AS d(event_id bigint, instance_id bigint,
    matched int, reason text, considered jsonb)
ON CONFLICT (event_id) DO NOTHING
"""
_STORE = f"""
WITH given AS (SELECT %s::timestamptz AS at, %s::float8 AS lease, %s::jsonb AS runs,
                      %s::jsonb AS decisions, %s::jsonb AS outcomes),
opened AS ({_RUNS}),
stopped AS ({outcomes.OF_RUNS.format(
    rows="given n, jsonb_to_recordset(n.outcomes)")}),
decided AS ({_DECISIONS}),
marked AS (UPDATE omni_events SET routed_at = omni_now()
           WHERE id = ANY(%s::bigint[])),
plain AS MATERIALIZED (  -- not what was spoken of before it came: it is held first (`derive`)
    SELECT t.id FROM omni_events t WHERE t.id = ANY(%s::bigint[]) AND NOT EXISTS (
        SELECT 1 FROM omni_events e WHERE e.instance_id = t.instance_id
        AND e.target_message_id = t.provider_message_id AND e.id <> t.id)),
introduced AS ({state.INTRODUCE.format(ids="ARRAY(SELECT id FROM plain)")})
SELECT ARRAY(SELECT ARRAY[id, event_id, workflow_id, begun::int] FROM opened),
    ARRAY(SELECT introduced_by_id FROM introduced)
"""


def store(decisions: Sequence[tuple[Event, Decision]], passages: Sequence[Passage], *,
          now: datetime, hands: Hands | None) -> list[Event]:
    """Store a batch, and fill in `run_id` and `begun_at` of the passages that open a run.

    Returns the events whose messages need more than a first state (`events.store.derive`).
    """
    events = [event for event, _ in decisions]
    opened = [passage for passage in passages if passage.said and passage.said.kind == "open"]
    owner = hands.owner if hands is not None else ""
    ends = {n: end for n, passage in enumerate(opened) if (end := at_once.end_of(passage))}
    [(runs, introduced)] = statements.execute(_STORE, [
        now, settings.OMNI_LEASE_SECONDS,
        storable_json([{**_run(passage, ends.get(n), now, owner), "n": n}
                       for n, passage in enumerate(opened)]),
        storable_json([_row(event, decision, passages) for event, decision in decisions]),
        storable_json([at_once.outcome_row(opened[n], end, now) for n, end in ends.items()]),
        [event.pk for event in events], [event.pk for event in state.first_words(events)]])
    made = {(event_id, workflow_id): (run_id, begun)
            for run_id, event_id, workflow_id, begun in runs}
    for n, passage in enumerate(opened):
        passage.has_ended = n in ends
        passage.run_id, begun = made.get(
            (passage.event.pk, passage.effective.workflow_id), (None, False))
        passage.begun_at = now if begun else None
    return [event for event in events if event.pk not in introduced]


def _run(passage: Passage, end: Ended | None, now: datetime, owner: str) -> dict[str, Any]:
    row = run_row(passage, now, owner)
    if end is not None:
        return {**row, "state": end.state, "reason": end.reason, "code": end.code, "owner": "",
                "begins": True}
    return {**row, "reason": "", "code": "", "begins": row["state"] == "running"}


def _row(event: Event, decision: Decision, passages: Sequence[Passage]) -> dict[str, Any]:
    """The decision as it is stored: what matching said, and then the gates."""
    passed = {passage.effective.slug: passage for passage in passages if passage.event is event}
    considered = [_verdict(verdict, passed.get(verdict["workflow"]), passages)
                  for verdict in decision.considered]
    return {"event_id": event.pk, "instance_id": event.instance_id, "reason": decision.reason,
            "matched": sum(verdict["result"] in ("matched", "joined") for verdict in considered),
            "considered": considered}


def _verdict(verdict: dict[str, Any], passage: Passage | None,
             passages: Sequence[Passage]) -> dict[str, Any]:
    if verdict["result"] != "matched" or passage is None or passage.said is None:
        return verdict
    said = passage.said
    notes = passage.wish.notes if passage.wish is not None else ()
    if said.kind == "refuse":
        return {**verdict, "result": said.result, "clause": "; ".join((said.clause, *notes))}
    if said.kind == "join":
        return {**verdict, "result": "joined", **_joined(said.run, passages),
                "clause": "; ".join(("debounce: part of a burst", *notes))}
    return {**verdict, "clause": "; ".join(notes),
            "opens": [passage.event.pk, passage.effective.workflow_id]}


def _joined(run: Any, passages: Sequence[Passage]) -> dict[str, Any]:
    """The run of a burst: one that is stored, or one that this batch opens."""
    if isinstance(run, int):
        return {"run_id": run}
    return {"opens": next([one.event.pk, one.effective.workflow_id] for one in passages
                          if one.wish is not None and one.wish.run == run)}
