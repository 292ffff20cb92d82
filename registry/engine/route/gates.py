"""Between a match and its run: the gates, counted from rows, and the run's place in line.

`gate_facts` reads the rows and `gatekeeping` decides; here they are asked, and `records` stores the
runs. The keys of a batch are locked first, so that two workers never count the same key at once.
`claim` is settled in matching.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection

from connections.storable import storable_json
from events.models import Event
from events.outbox import limits
from registry.engine.route import gate_facts, gate_keys, gatekeeping
from registry.engine.route.gatekeeping import Said, Wish
from registry.engine.route.matching import Effective
from registry.engine.run import alerts, scope
from registry.engine.waits import waiting, waits
from registry.engine.work import queue
from registry.expressions.expression import ExpressionError
from registry.language.definition import Definition
from registry.models import Run

_ADOPT = """
UPDATE omni_runs SET slot_key = coalesce(%(keys)s::jsonb ->> slot_key, slot_key),
    state = CASE WHEN state = 'queued' AND slot_key = ANY(%(old)s) THEN 'blocked' ELSE state END,
    burst_key = coalesce(%(keys)s::jsonb ->> burst_key, burst_key)
WHERE (slot_key = ANY(%(old)s) AND state IN ('queued', 'blocked', 'waiting'))
   OR (burst_key = ANY(%(old)s) AND state = 'waiting' AND started_at IS NULL)
"""
_GO_ON = "SELECT omni_next_in_line(key) FROM unnest(%s::text[]) AS key"
_JOIN = """
UPDATE omni_runs r SET event_id = w.event_id, batch = w.batch, available_at = w.due
FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, event_id bigint, batch jsonb, due timestamptz)
WHERE r.id = w.id
"""

_ALONE = "so it counts this event with no other"


class Hands(Protocol):
    """A worker process with threads for runs. owner: what their leases say."""

    owner: str

    def reserve(self, instance_id: int) -> bool:
        """Keep a thread for a run of this account."""

    def give_back(self, instance_id: int) -> None:
        """A thread that was kept is not needed."""

    def begin(self, claim: queue.Claim, run: Run | None = None, *, reserved: bool = False) -> None:
        """Take a run as far as it goes."""

@dataclass(slots=True)
class Passage:
    """One match at the gates. said: what they answered; run_id: the run it opened or joined.

    is_reserved: a thread of the router's worker is kept for the run. begun_at: it is at work there
    since then. has_ended: it was stored as ended.
    """

    event: Event
    effective: Effective
    wish: Wish | None = None
    said: Said | None = None
    run_id: int | None = None
    is_reserved: bool = False
    begun_at: datetime | None = None
    has_ended: bool = False

    @property
    def is_queued(self) -> bool:
        """Whether it opened a run that somebody has to claim."""
        return (self.said is not None and self.said.kind == "open" and self.run_id is not None
                and self.begun_at is None and not self.has_ended)

    @property
    def keys(self) -> list[str | None]:
        wish = self.wish
        return [] if wish is None else [wish.once_key, wish.burst_key, wish.throttle_key,
                                        wish.slot_key, *self.former_keys]

    @property
    def former_keys(self) -> dict[str, str]:
        """Keys by conversations that were merged into the event's, and what they are now."""
        place, wish = self.event.conversation, self.wish
        if place is None or wish is None or not place.former_ids:
            return {}
        id, instance = self.effective.workflow_id, self.event.instance_id
        return {old: new for former in place.former_ids for old, new in (
            (gate_keys.slot_in(id, former), gate_keys.slot_in(id, place.pk)),
            (gate_keys.burst_in(id, instance, former), gate_keys.burst_in(id, instance, place.pk)))
            if new in (wish.slot_key, wish.burst_key)}


def approach(matches: Sequence[tuple[Event, Effective]]) -> list[Passage]:
    """What each match asks of the gates; a key that cannot be computed refuses the match."""
    passages = []
    for number, (event, effective) in enumerate(matches):
        passage = Passage(event, effective)
        try:
            passage.wish = _wish(f"new:{number}", event, effective)
        except ExpressionError as exc:
            passage.said = Said("refuse", result="error", clause=exc.message)
        passages.append(passage)
    return passages


@dataclass(frozen=True, slots=True)
class Passed:
    """restarted: ids of runs that a restart ends. watches: ids of new waits of `cancel_on`."""

    restarted: list[int]
    watches: list[int]


def pass_through(passages: Sequence[Passage], *, now: datetime,
                 hands: Hands | None = None) -> None:
    """Ask the gates what happens to each match; nothing is stored yet but who is in which line.

    hands: a worker that takes what may begin at once; such a run is stored as its own, so that
    nobody has to look for it. The caller holds the keys (`queue.lock_slots` with `Passage.keys`).
    """
    _stop_loops(passages)
    asking = [passage for passage in passages if passage.said is None]
    _adopt({old: new for passage in asking for old, new in passage.former_keys.items()})
    facts = gate_facts.read([passage.wish for passage in asking if passage.wish is not None])
    for passage in asking:
        assert passage.wish is not None
        passage.said = gatekeeping.decide(passage.wish, facts, now)
    for passage in asking:
        passage.is_reserved = hands is not None and _may_begin(passage) and hands.reserve(
            passage.event.instance_id)


def follow_up(passages: Sequence[Passage]) -> Passed:
    """What remains when the opened runs are stored: bursts that go on, and what would end runs."""
    ids = {passage.wish.run: passage.run_id for passage in passages
           if passage.wish is not None and passage.run_id is not None}
    _join(passages, ids)
    watches = _open_cancels([passage for passage in passages if passage.run_id is not None
                             and passage.said is not None and passage.said.kind == "open"])
    return Passed([ids.get(run, run) for passage in passages if passage.said is not None
                   for run in passage.said.cancels], watches)


def slot_of(workflow_id: int, definition: Definition, event: Event,
            inputs: dict[str, Any]) -> tuple[str | None, int]:
    """The slot of a run: (key, how many at a time).

    As `concurrency` says; else runs that send go one after the other within a conversation.
    """
    gate = definition.concurrency
    if gate is not None:
        roots = scope.of_event(event, inputs=inputs)
        return gate_keys.of_gate(workflow_id, "slot", gate.key, roots, event), gate.limit
    if definition.sends and event.conversation_id is not None:
        place = event.conversation
        return gate_keys.slot_in(workflow_id, place.kept_id if place else event.conversation_id), 1
    return None, 1


def _wish(run: str, event: Event, effective: Effective) -> Wish:
    definition, id = effective.definition, effective.workflow_id
    roots = scope.of_event(event, inputs=dict(effective.inputs))
    once, burst, throttle = definition.once, definition.debounce, definition.throttle
    slot_key, _ = slot_of(id, definition, event, dict(effective.inputs))
    once_key = gate_keys.of_gate(id, "once", once.key, roots, event) if once else None
    burst_key = gate_keys.of_burst(id, burst.key, roots, event) if burst else None
    throttle_key = (gate_keys.of_gate(id, "throttle", throttle.key, roots, event)
                    if throttle else None)
    return Wish(
        run=run, event_id=event.pk, once=once, debounce=burst, throttle=throttle,
        concurrency=definition.concurrency, slot_key=slot_key, once_key=once_key,
        burst_key=burst_key, throttle_key=throttle_key, notes=tuple(
            f"{name}: {gate_keys.why_none(gate.key, roots)}, {_ALONE}"
            for name, gate, found in (
                ("once", once, once_key), ("debounce", burst, burst_key),
                ("throttle", throttle, throttle_key),
                ("concurrency", definition.concurrency, slot_key))
            if gate is not None and found is None))


def _adopt(keys: Mapping[str, str]) -> None:
    """Runs of a conversation that was merged stand in the line of the kept one, by their tickets.

    One that is at work keeps its key until it gives its place back.
    """
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(_ADOPT, {"keys": json.dumps(dict(keys)), "old": list(keys)})
            if cursor.rowcount:
                cursor.execute(_GO_ON, [sorted(set(keys.values()))])


def _stop_loops(passages: Sequence[Passage]) -> None:
    """Refuse answers to conversations that two machines seem to have with each other."""
    sending = [passage for passage in passages if passage.said is None
               and passage.effective.definition.sends and passage.event.direction == "inbound"
               and passage.event.conversation_ref]
    loops = limits.looping((passage.event.instance_id, passage.event.place)
                           for passage in sending)
    for passage in sending:
        event = passage.event
        loop = loops.get((event.instance_id, event.place))
        if loop:
            passage.said = Said("refuse", result="loop_guard", clause=loop.reason)
            if not loop.known:
                alerts.loop_stopped(event)


def _join(passages: Sequence[Passage], ids: Mapping[Any, int]) -> None:
    """Bring the runs of bursts up to date."""
    joined: dict[int, dict[str, Any]] = {}
    for passage in passages:
        if passage.said is not None and passage.said.kind == "join":
            passage.run_id = ids.get(passage.said.run, passage.said.run)
            if isinstance(passage.run_id, int):
                joined[passage.run_id] = {
                    "id": passage.run_id, "event_id": passage.event.pk,
                    "batch": passage.said.batch, "due": passage.said.due}
    if joined:
        with connection.cursor() as cursor:
            cursor.execute(_JOIN, [storable_json([joined[id] for id in sorted(joined)])])


def _may_begin(passage: Passage) -> bool:
    """Whether the run has nothing to wait for but, perhaps, its place in line."""
    said = passage.said
    return (said is not None and not said.waits and not said.cancels
            and passage.effective.mode != "paused")


def run_row(passage: Passage, now: datetime, owner: str) -> dict[str, Any]:
    """The run that a passage opens, as it is stored."""
    event, effective, wish, said = passage.event, passage.effective, passage.wish, passage.said
    assert wish is not None and said is not None
    definition = effective.definition
    starts = said.due if said.waits and said.due else now
    return {"instance_id": event.instance_id, "event_id": event.pk,
            "workflow_id": effective.workflow_id, "version_id": effective.version_id,
            "inputs": dict(effective.inputs), "priority": effective.priority,
            "state": ("waiting" if said.waits else "running" if passage.is_reserved
                      else "blocked" if effective.mode == "paused" else "queued"),
            "owner": owner if passage.is_reserved else "",
            "due": said.due if said.waits else None,
            "slot_key": wish.slot_key,
            "slot_limit": definition.concurrency.limit if definition.concurrency else 1,
            "once_key": wish.once_key, "burst_key": wish.burst_key, "burst_until": said.until,
            "batch": said.batch if wish.burst_key else [], "throttle_key": wish.throttle_key,
            "throttle_at": said.throttle_at,
            "deadline": starts + timedelta(seconds=definition.timeout)}


def run_of(passage: Passage) -> Run:
    """The run that was just stored as begun, from memory."""
    event, effective, wish, said = passage.event, passage.effective, passage.wish, passage.said
    assert wish is not None and said is not None and passage.begun_at is not None
    row = run_row(passage, passage.begun_at, "")
    return Run(
        pk=passage.run_id, instance_id=event.instance_id, event=event,
        workflow_id=effective.workflow_id, version_id=effective.version_id,
        inputs=row["inputs"], state="running", priority=effective.priority,
        slot_key=wish.slot_key, slot_limit=row["slot_limit"], burst_key=wish.burst_key,
        batch=row["batch"], available_at=passage.begun_at, token=1, deadline=row["deadline"],
        created_at=passage.begun_at, started_at=passage.begun_at)


def _open_cancels(passages: Sequence[Passage]) -> list[int]:
    """What would end each new run from outside, watched from its event on."""
    rows = []
    for passage in passages:
        roots = None
        for number, match in enumerate(passage.effective.definition.cancel_on):
            if roots is None:
                roots = scope.of_event(passage.event, inputs=dict(passage.effective.inputs))
                roots["run"] = {"id": passage.run_id, "workflow": passage.effective.slug,
                                "version": passage.effective.version_number}
            rows.append((passage.run_id, passage.event.instance_id, waiting.for_event(
                f"cancel_on[{number}]", "", kind="cancel", event_types=match.event,
                pairs={name: value.render(roots) for name, value in match.match.items()},
                where=match.where, scope=roots, before=waiting.SoFar(passage.event.pk))))
    return list(waits.store(rows).values())
