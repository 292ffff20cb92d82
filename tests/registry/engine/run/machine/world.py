"""A world in memory around the pure machine: events, runs, workers that die, a clock that jumps.

The machine (`execution`, `steps`, `gatekeeping`, `waiting` of `registry.engine`) is the product's
own. What the product keeps in PostgreSQL is kept in dicts here, by the same rules:
claims by ticket, leases and fencing tokens, outcomes stored with the next effect. Every rule that
must always hold is asserted where it could break.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from actions.base import Outcome, done, failed, stop
from registry.engine.route import gatekeeping
from registry.engine.route.gatekeeping import Burst, Facts, Live, Wish
from registry.engine.run import steps
from registry.engine.run.contract import Ended, Record, Suspended
from registry.engine.run.execution import Execution
from registry.engine.waits import waiting
from registry.engine.waits.waiting import SoFar, Wait
from registry.expressions.lazy import Lazy
from registry.language.definition import Definition, Step

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=15)
LIVE = ("queued", "running", "waiting")
MAX_DEATHS = 3
WAITED_FOR = ("wait", "approval", "call")


class Kill(BaseException):
    """The worker process is gone."""


class Fenced(Exception):
    """The run was taken over."""


@dataclass(slots=True)
class Run:
    id: int
    definition: Definition
    version: int
    event: int
    batch: list[int]
    state: str = "queued"
    reason: str = ""
    code: str = ""
    token: int = 0
    lease_until: datetime = START
    deaths: int = 0
    step_path: str = ""
    available_at: datetime = START
    started: bool = False
    first_start: datetime | None = None
    ticket: int = 0
    slot_key: str | None = None
    slot_limit: int = 1
    once_key: str | None = None
    burst_key: str | None = None
    until: datetime | None = None
    throttle_key: str | None = None
    throttle_at: datetime | None = None
    created_at: datetime = START
    parent: tuple[int, str, str] | None = None
    depth: int = 0
    waits: dict[tuple[str, str], Wait] = field(default_factory=dict)
    watches: list[Wait] = field(default_factory=list)
    unlooked: list[Wait] = field(default_factory=list)
    records: dict[tuple[str, str, int], Record] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)


class World:
    """One history. chance: decides everything; the same seed is the same history."""

    def __init__(self, definitions: Sequence[Definition], child: Definition, seed: int) -> None:
        self.chance = random.Random(seed)
        self.definitions, self.child, self.version = list(definitions), child, 0
        self.now = START
        self.events: list[dict[str, Any]] = []
        self.routed: dict[int, str] = {}
        self.runs: dict[int, Run] = {}
        self.tickets = 0
        self.outbox: dict[str, str] = {}
        self.sink: list[str] = []
        self.kills_left = self.chance.choice([0, 1, 3, 6])
        self.zombies_left = self.chance.choice([0, 0, 1])
        self.calm = False

    # --- what happens ---------------------------------------------------------------------------

    def step(self) -> None:
        """One thing happens."""
        self.chance.choices(
            [self.event, self.route, self.work, self.pass_time, self.sweep, self.edit,
             self.answer, self.cancel, self.look_again],
            [5, 5, 9, 4, 2, 1, 2, 0.3, 1])[0]()

    def settle(self) -> None:
        """No more deaths; time passes until nothing is left to do."""
        self.calm = True
        for _ in range(3000):
            self.route()
            self.wake_due()
            self.look_again()
            self.sweep()
            if self.work():
                continue
            moments = [run.lease_until if run.state == "running" else run.available_at
                       for run in self.runs.values() if run.state in LIVE]
            if not moments and len(self.routed) == len(self.events):
                return
            if moments:
                self.now = max(self.now, min(moments)) + timedelta(seconds=1)
        left = [(run.id, run.state, run.step_path) for run in self.runs.values()
                if run.state in LIVE]
        raise AssertionError(f"never quiet: {left}")

    def event(self) -> None:
        self.events.append({
            "id": len(self.events) + 1, "event_type": "message.text",
            "text": self.chance.choice(["a", "b"]), "received_at": self.now,
            "conversation_id": self.chance.choice([1, 2]), "client_ref": None,
            "direction": self.chance.choice(["inbound", "outbound"])})

    def edit(self) -> None:
        self.version = (self.version + 1) % len(self.definitions)

    def pass_time(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([1, 4, 20, 70]))

    def route(self) -> None:
        """All events that are new: their waits, then the gates."""
        batch = [event for event in self.events if event["id"] not in self.routed]
        if not batch:
            return
        for event in batch:
            event["routed_at"] = self.now
            self._settle_waits(event)
        definition = self.definitions[self.version]
        facts = self._facts()
        opened: dict[Any, Run] = {}
        for event in batch:
            wish = self._wish(event, definition)
            said = gatekeeping.decide(wish, facts, self.now)
            if said.kind == "refuse":
                assert said.result and said.clause
                self.routed[event["id"]] = said.result
                continue
            if said.kind == "join":
                run = opened.get(said.run) or self.runs[said.run]
                assert run.state == "waiting" and not run.started
                run.event, run.batch, run.available_at = event["id"], said.batch, said.due
            else:
                for ref in said.cancels:
                    self._cancel(opened.get(ref) or self.runs[ref], "restarted")
                run = opened[wish.run] = self._open(definition, event, wish, said)
            self.routed[event["id"]] = f"run {run.id}"

    def work(self) -> bool:
        """A worker claims a run and takes it as far as it goes, or dies on the way."""
        run = self._claim()
        if run is None:
            return False
        token = run.token
        hands = WorldHands(self, run, token)
        try:
            execution = self.execution(run, hands)
            verdict = execution.run()
            if isinstance(verdict, Suspended):
                self._suspend(run, token, execution, verdict)
            else:
                self._end(run, token, execution, verdict or Ended("done"))
        except (Kill, Fenced):
            pass
        return True

    def execution(self, run: Run, hands: Any) -> Execution:
        values = self.scope(run)
        values["vars"] = dict(run.definition.vars.render(values) or {})
        resumed = run.token > 1
        execution = Execution(
            definition=run.definition, scope=values, hands=hands, kinds=steps.modules(),
            recorded=self.visible(run) if resumed else {},
            waits=dict(run.waits) if resumed else {}, progress=dict(run.progress),
            careful=run.deaths > 0)
        hands.execution = execution
        return execution

    def scope(self, run: Run) -> Lazy:
        event = self.events[run.event - 1]
        values = scope_of(event)
        values.update(steps={}, vars={}, inputs={}, now=START, run={"id": run.id})
        return values

    def visible(self, run: Run) -> dict[tuple[str, str, int], Record]:
        """The outcomes a walk is given: of loops with progress not the turns left behind."""
        if not run.progress:
            return dict(run.records)
        return {key: record for key, record in run.records.items() if not any(
            key[0].startswith(f"{path}.for_each.") and int(key[1].split(".")[0]) < facts["next"]
            for path, facts in run.progress.items())}

    def sweep(self) -> None:
        for run in self.runs.values():
            if run.state == "running" and run.lease_until < self.now:
                run.token += 1
                run.deaths += 1
                run.state, run.available_at = "queued", self.now
                if run.deaths >= MAX_DEATHS:
                    self._finish(run, "dead", f"died {run.deaths} times", "worker_died")

    def wake_due(self) -> None:
        for run in self.runs.values():
            if run.state == "waiting" and run.available_at <= self.now:
                self._wake(run)

    def look_again(self) -> None:
        """Waits whose worker died before it searched for events that came first."""
        for run in list(self.runs.values()):
            waits, run.unlooked = run.unlooked, []
            for wait in waits:
                for event in self.events:
                    if wait.state == "open" and event["id"] in self.routed:
                        self._try(run, wait, event)

    def answer(self) -> None:
        open_ones = [(run, wait) for run in self.runs.values() for wait in run.waits.values()
                     if run.state in LIVE and wait.kind == "approval" and wait.state == "open"
                     and (wait.wake_at is None or wait.wake_at > self.now)]
        if open_ones:
            run, wait = self.chance.choice(open_ones)
            wait.state = "settled"
            wait.result = {"decision": self.chance.choice(["approve", "reject"]), "edited": None}
            self._wake(run)

    def cancel(self) -> None:
        live = [run for run in self.runs.values() if run.state in LIVE]
        if live:
            self._cancel(self.chance.choice(live), "canceled")

    # --- the queue ------------------------------------------------------------------------------

    def _claim(self) -> Run | None:
        self.wake_due()
        fitting = [run for run in self.runs.values() if run.state == "queued"
                   and run.available_at <= self.now and self._has_place(run)]
        if not fitting:
            return None
        run = self.chance.choice(fitting)
        run.state, run.token, run.started = "running", run.token + 1, True
        run.first_start = run.first_start or self.now
        run.lease_until = self.now + LEASE
        at_work = sum(other.state == "running" and other.slot_key == run.slot_key
                      for other in self.runs.values())
        assert run.slot_key is None or at_work <= run.slot_limit
        return run

    def _has_place(self, run: Run) -> bool:
        return run.slot_key is None or sum(
            other.slot_key == run.slot_key and other is not run
            and (other.state == "running" or (other.state == "queued"
                                              and other.ticket < run.ticket))
            for other in self.runs.values()) < run.slot_limit

    def _ticket(self) -> int:
        self.tickets += 1
        return self.tickets

    def _wake(self, run: Run) -> None:
        if run.state == "waiting":
            run.state, run.ticket, run.available_at = "queued", self._ticket(), self.now

    def fence(self, run: Run, token: int) -> None:
        if run.token != token or run.state != "running":
            raise Fenced

    def commit(self, run: Run, token: int, execution: Execution) -> None:
        """Store pending outcomes, once each and in the order of the graph."""
        self.fence(run, token)
        for record in execution.pending:
            key = (record.path, record.iteration, record.attempt)
            assert key not in run.records, f"{key} twice"
            before = run.records.get((record.path, record.iteration, record.attempt - 1))
            assert before is None or not before.final, f"{key} after its end"
            run.records[key] = record
            if record.final:
                run.order.append((record.path, record.iteration))
            if record.step_kind in WAITED_FOR:
                run.waits.pop((record.path, record.iteration), None)
        for place in execution.left:
            wait = run.waits.pop(place, None)
            if wait is None:
                continue
            if wait.kind == "call":
                for other in self.runs.values():
                    if other.parent == (run.id, *place):
                        self._cancel(other, "caller_ended")
            wait.state = "closed"
        execution.left.clear()
        execution.pending.clear()

    def _suspend(self, run: Run, token: int, execution: Execution, verdict: Suspended) -> None:
        self.maybe_die()
        self.commit(run, token, execution)
        gate = run.definition.concurrency
        keeps_place = verdict.keeps_place and not (gate and gate.mode == "parallel")
        run.state = "queued" if keeps_place else "waiting"
        run.available_at = verdict.until or START + timedelta(days=3650)
        run.progress = dict(execution.progress)
        for wait in execution.opened:
            run.waits[(wait.path, wait.iteration)] = wait
            if wait.kind == "call":
                self.start_child(run, wait.path, wait.iteration)
            if wait.kind == "event":
                run.unlooked.append(wait)
        if any(wait.state == "settled" for wait in run.waits.values()):
            self._wake(run)
        self.maybe_die()
        self.look_again()

    def _end(self, run: Run, token: int, execution: Execution, ended: Ended) -> None:
        self.maybe_die()
        self.commit(run, token, execution)
        self._finish(run, ended.state, ended.reason, ended.code)
        self.maybe_die()

    def _finish(self, run: Run, state: str, reason: str, code: str) -> None:
        assert run.state in LIVE, "an end is never overwritten"
        run.state, run.reason, run.code = state, reason, code
        for wait in run.waits.values():
            if wait.kind == "call" and wait.state == "open":
                for other in self.runs.values():
                    if other.parent == (run.id, wait.path, wait.iteration) and other.state in LIVE:
                        self._cancel(other, "caller_ended")
            wait.state = "closed"
        if run.parent is not None:
            caller = self.runs[run.parent[0]]
            told = caller.waits.get(run.parent[1:])
            if told is not None and told.state == "open":
                told.state = "settled"
                told.result = {"run": run.id, "state": state, "reason": reason, "code": code,
                               "output": {}}
                self._wake(caller)

    def _cancel(self, run: Run, code: str) -> None:
        if run.state in LIVE:
            self._finish(run, "canceled", code, code)

    def start_child(self, run: Run, path: str, iteration: str) -> int:
        key = (run.id, path, iteration)
        for other in self.runs.values():
            if other.parent == key:
                return other.id
        child = Run(len(self.runs) + 1, self.child, 0, run.event, [], ticket=self._ticket(),
                    available_at=self.now, created_at=self.now, parent=key, depth=run.depth + 1)
        self.runs[child.id] = child
        return child.id

    # --- routing --------------------------------------------------------------------------------

    def _wish(self, event: dict[str, Any], definition: Definition) -> Wish:
        values = scope_of(event)

        def key(gate: Any) -> str | None:
            if gate is None:
                return None
            return "all" if gate.key is None else str(gate.key.evaluate(values))

        return Wish(
            run=f"new {event['id']}", event_id=event["id"], once=definition.once,
            once_key=key(definition.once), debounce=definition.debounce,
            burst_key=key(definition.debounce), throttle=definition.throttle,
            throttle_key=key(definition.throttle), concurrency=definition.concurrency,
            slot_key=key(definition.concurrency))

    def _facts(self) -> Facts:
        facts = Facts()
        for run in sorted(self.runs.values(), key=lambda run: run.ticket):
            if run.parent is not None:
                continue
            if run.once_key is not None:
                facts.once[run.once_key] = max(run.created_at,
                                               facts.once.get(run.once_key, START))
            if run.burst_key is not None and run.state == "waiting" and not run.started:
                facts.bursts[run.burst_key] = Burst(run.id, run.batch, run.until, run.throttle_at)
            if run.throttle_key is not None and run.throttle_at is not None:
                facts.throttled.setdefault(run.throttle_key, []).append(run.throttle_at)
            if run.slot_key is not None and run.state in LIVE:
                facts.slots.setdefault(run.slot_key, []).append(Live(run.id, run.state))
        for moments in facts.throttled.values():
            moments.sort()
        return facts

    def _open(self, definition: Definition, event: dict[str, Any], wish: Wish,
              said: gatekeeping.Said) -> Run:
        run = Run(len(self.runs) + 1, definition, self.version, event["id"], said.batch,
                  state="waiting" if said.waits else "queued", ticket=self._ticket(),
                  available_at=said.due or self.now, created_at=self.now,
                  slot_key=wish.slot_key, once_key=wish.once_key, burst_key=wish.burst_key,
                  throttle_key=wish.throttle_key, throttle_at=said.throttle_at, until=said.until,
                  slot_limit=definition.concurrency.limit if definition.concurrency else 1)
        self.runs[run.id] = run
        values = scope_of(event)
        values["run"] = {"id": run.id}
        for number, match in enumerate(definition.cancel_on):
            run.watches.append(waiting.for_event(
                f"cancel_on[{number}]", "", kind="cancel", event_types=match.event,
                pairs={name: value.render(values) for name, value in match.match.items()},
                where=match.where, scope=values, before=SoFar(event["id"])))
        return run

    def _settle_waits(self, event: dict[str, Any]) -> None:
        for run in list(self.runs.values()):
            for wait in [*run.waits.values(), *run.watches]:
                if wait.kind in ("event", "cancel") and wait.state == "open":
                    self._try(run, wait, event)

    def _try(self, run: Run, wait: Wait, event: dict[str, Any]) -> None:
        if run.state not in LIVE or event["id"] <= wait.since_id or event["id"] in run.batch:
            return
        if waiting.digest_of(event, wait.fields) != wait.match_hash or not waiting.takes(
                wait.event_types, wait.where, wait.facts, event["event_type"], scope_of(event)):
            return
        if wait.kind == "cancel":
            self._cancel(run, "cancel_on")
        else:
            wait.state, wait.result = "settled", {"event": {"id": event["id"]}}
            self._wake(run)

    # --- deaths ---------------------------------------------------------------------------------

    def maybe_die(self) -> None:
        if self.kills_left and not self.calm and self.chance.random() < 0.06:
            self.kills_left -= 1
            raise Kill

    def maybe_stand_still(self) -> None:
        """The worker is stopped for longer than its lease; others go on; then it wakes."""
        if self.zombies_left and not self.calm and self.chance.random() < 0.1:
            self.zombies_left -= 1
            self.now += LEASE + timedelta(seconds=1)
            self.sweep()
            for _ in range(3):
                self.work()


class WorldHands:
    """Hands that act in a world. Half of what they do succeeds at once."""

    fatal = (Fenced,)

    def __init__(self, world: World, run: Run, token: int) -> None:
        self.world, self.run, self.token = world, run, token
        self.execution: Execution

    def clock(self) -> datetime:
        return self.world.now

    def so_far(self) -> SoFar:
        return SoFar(len(self.world.events))

    def reached(self, name: str) -> None:
        self.world.maybe_die()

    def has_effect(self, step: Step) -> bool:
        if step.kind == "uses":
            return step.body.action_id in ("custom.change", "custom.send")
        return step.kind == "decide" or (step.kind == "call" and step.body.mode == "detach")

    def begins_itself(self, step: Step) -> bool:
        return False

    def seconds_for(self, step: Step) -> float:
        return 60.0

    def flush(self, execution: Execution, step: Step) -> None:
        self.world.maybe_die()
        self.world.commit(self.run, self.token, execution)
        if self.run.step_path not in (step.path, ""):
            self.run.deaths = 0
        self.run.step_path = step.path
        self.world.maybe_die()

    def act(self, step: Step, execution: Execution) -> Outcome:
        world = self.world
        assert not (self.has_effect(step) and execution.pending), "what came before is not stored"
        key = f"{self.run.id}:{step.path}@{execution.iteration}"
        if step.body.action_id != "custom.send":
            return self._some_outcome()
        known = world.outbox.get(key)
        if known == "sent":
            return done()
        if known == "sending":
            world.outbox[key] = "unknown"
            return Outcome("unknown", {}, "interrupted", "interrupted")
        if known == "unknown":
            return Outcome("unknown", {}, "interrupted", "interrupted")
        world.maybe_stand_still()
        world.fence(self.run, self.token)  # the outbox row is written by the owner only
        world.outbox[key] = "sending"
        world.maybe_die()
        assert key not in world.sink, f"{key} sent twice"
        world.sink.append(key)
        world.maybe_die()
        world.outbox[key] = "sent"
        return done()

    def _some_outcome(self) -> Outcome:
        return self.world.chance.choices(
            [done(), failed("away", code="not_sent"), failed("wrong", code="invalid"),
             stop("no")], [12, 2, 1, 0.3])[0]

    def decide(self, step: Step, execution: Execution, question: str) -> Outcome:
        self.world.maybe_die()
        return done(choice=self.world.chance.choice(list(step.body.options)))

    def trouble_calling(self, workflow: str) -> str:
        return "" if self.run.depth < 3 else "too deep"

    def call(self, step: Step, execution: Execution, inputs: Mapping[str, Any]) -> Outcome:
        return done(run=self.world.start_child(self.run, step.path, execution.iteration))

    def expire(self, wait: Wait) -> Wait:
        stored = self.run.waits[(wait.path, wait.iteration)]
        if stored.state == "open":
            stored.state, stored.result = "settled", {"decision": "reject", "timed_out": True}
        return stored

    def side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        results: dict[int, Any] = {}
        order = list(range(len(tasks)))
        self.world.chance.shuffle(order)
        for number in order:
            results[number] = tasks[number]()
        return [results[number] for number in range(len(tasks))]


def scope_of(event: dict[str, Any]) -> Lazy:
    return Lazy({}, event=dict(event), conversation={"id": event["conversation_id"]}, inputs={})
