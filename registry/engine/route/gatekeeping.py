"""What the gates of a workflow say to one more event: open a run, join one, or refuse. Pure.

In order: once, debounce, throttle, concurrency. Everything is counted from rows of runs that are
there, never from a counter; `Facts` are those rows, kept up to date while a batch is decided.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from registry.language.definition import Concurrency, Debounce, Once, Throttle

RunRef = Any  # id of a run, or what stands for one that is about to be stored


@dataclass(frozen=True, slots=True)
class Wish:
    """One matched event. The keys are whole: workflow, gate and value in one text.

    A gate without its key counts nothing: the event is one of a kind there. notes: why, for the
    routing decision.
    """

    run: RunRef
    event_id: int
    once: Once | None = None
    once_key: str | None = None
    debounce: Debounce | None = None
    burst_key: str | None = None
    throttle: Throttle | None = None
    throttle_key: str | None = None
    concurrency: Concurrency | None = None
    slot_key: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether rows are counted to answer it; otherwise it opens a run in any case."""
        return bool(self.once_key or self.burst_key or self.throttle_key or (
            self.concurrency is not None and counts_line(self.concurrency)))


@dataclass(slots=True)
class Burst:
    """A run that still collects events. earliest: it must not start before, by its throttle."""

    run: RunRef
    batch: list[int]
    until: datetime | None
    earliest: datetime | None


@dataclass(slots=True)
class Live:
    """A run that has not ended. state: queued, blocked, running or waiting."""

    run: RunRef
    state: str


@dataclass(slots=True)
class Facts:
    """once: key -> moment of the newest run. throttled: key -> moments that count, in order.

    slots: key -> live runs, in line; of gates that say no by them (`counts_line`).
    """

    once: dict[str, datetime] = field(default_factory=dict)
    bursts: dict[str, Burst] = field(default_factory=dict)
    throttled: dict[str, list[datetime]] = field(default_factory=dict)
    slots: dict[str, list[Live]] = field(default_factory=dict)


@dataclass(slots=True)
class Said:
    """kind: open, join or refuse. result, clause: why it was refused, for the routing decision.

    due: when the run may start. waits: it is not in line before that. cancels: runs a restart ends.
    """

    kind: Literal["open", "join", "refuse"]
    run: RunRef = None
    due: datetime | None = None
    waits: bool = False
    batch: list[int] = field(default_factory=list)
    until: datetime | None = None
    throttle_at: datetime | None = None
    cancels: list[RunRef] = field(default_factory=list)
    result: str = ""
    clause: str = ""


def decide(wish: Wish, facts: Facts, now: datetime) -> Said:
    """What happens to one matched event; `facts` then know of it."""
    refusal = _once(wish, facts, now)
    if refusal:
        return refusal
    burst = facts.bursts.get(wish.burst_key) if wish.burst_key else None
    if burst is not None:
        return _join(wish, burst, now)
    throttle_at, refusal = _throttle(wish, facts, now)
    if refusal:
        return refusal
    cancels, refusal = _concurrency(wish, facts)
    if refusal:
        return refusal
    return _open(wish, facts, now, throttle_at, cancels)


def counts_line(gate: Concurrency) -> bool:
    """Whether the gate's answer depends on who is in line; otherwise a run just stands there."""
    return gate.mode in ("skip", "restart") or gate.max_queue is not None


def _once(wish: Wish, facts: Facts, now: datetime) -> Said | None:
    if wish.once is None or wish.once_key is None:
        return None
    last = facts.once.get(wish.once_key)
    per = wish.once.per
    if last is None or (per is not None and last + timedelta(seconds=per) <= now):
        return None
    again = "never again" if per is None else f"again from {_at(last, per).isoformat()}"
    return Said("refuse", result="once",
                clause=f"once: ran for this key at {last.isoformat()}, {again}")


def _join(wish: Wish, burst: Burst, now: datetime) -> Said:
    debounce = wish.debounce
    assert debounce is not None
    burst.batch = [*burst.batch, wish.event_id][-debounce.collect:]
    return Said("join", run=burst.run, batch=list(burst.batch), waits=True,
                due=_quiet(debounce, burst.until, burst.earliest, now))


def _quiet(debounce: Debounce, until: datetime | None, earliest: datetime | None,
           now: datetime) -> datetime:
    """When a burst is over: after quiet time, at `until` at the latest, never before `earliest`."""
    due = _at(now, debounce.quiet)
    due = due if until is None else min(due, until)
    return due if earliest is None else max(due, earliest)


def _throttle(wish: Wish, facts: Facts, now: datetime) -> tuple[datetime | None, Said | None]:
    """The moment this run counts for, or the refusal."""
    throttle, key = wish.throttle, wish.throttle_key
    if throttle is None or key is None:
        return None, None
    counted = [moment for moment in facts.throttled.get(key, ())
               if _at(moment, throttle.per) > now]
    if len(counted) < throttle.limit:
        return now, None
    free = _at(counted[-throttle.limit], throttle.per)
    if throttle.mode == "delay":
        return free, None
    return None, Said("refuse", result="throttled", clause=(
        f"throttle: {throttle.limit} in {throttle.per:g} s is reached, free again at "
        f"{free.isoformat()}"))


def _concurrency(wish: Wish, facts: Facts) -> tuple[list[RunRef], Said | None]:
    """Which runs a restart ends, or the refusal."""
    gate, key = wish.concurrency, wish.slot_key
    if gate is None or key is None:
        return [], None
    live = facts.slots.get(key, [])
    if gate.mode == "skip" and len(live) >= gate.limit:
        return [], Said("refuse", result="busy", clause=(
            f"concurrency: {len(live)} at work and the limit is {gate.limit} (run {live[0].run})"))
    if gate.mode == "restart" and len(live) >= gate.limit:
        return [one.run for one in live[:len(live) - gate.limit + 1]], None
    queued = sum(one.state in ("queued", "blocked") for one in live)
    if gate.max_queue is not None and len(live) >= gate.limit and queued >= gate.max_queue:
        return [], Said("refuse", result="queue_full", clause=(
            f"concurrency: {queued} in the queue and max_queue is {gate.max_queue}"))
    return [], None


def _open(wish: Wish, facts: Facts, now: datetime, throttle_at: datetime | None,
          cancels: list[RunRef]) -> Said:
    due, until = now, None
    earliest = throttle_at if throttle_at is not None and throttle_at > now else None
    if wish.debounce is not None and wish.burst_key is not None:
        until = None if wish.debounce.max is None else _at(now, wish.debounce.max)
        due = _quiet(wish.debounce, until, earliest, now)
        facts.bursts[wish.burst_key] = Burst(wish.run, [wish.event_id], until, earliest)
    elif earliest is not None:
        due = earliest
    if wish.once_key is not None:
        facts.once[wish.once_key] = now
    if wish.throttle_key is not None and throttle_at is not None:
        facts.throttled.setdefault(wish.throttle_key, []).append(throttle_at)
    if wish.slot_key is not None:
        line = facts.slots.setdefault(wish.slot_key, [])
        line[:] = [one for one in line if one.run not in cancels]
        line.append(Live(wish.run, "waiting" if due > now else "queued"))
    return Said("open", run=wish.run, due=due, waits=due > now, batch=[wish.event_id],
                until=until, throttle_at=throttle_at, cancels=cancels)


def _at(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)
