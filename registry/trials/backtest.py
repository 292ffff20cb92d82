"""What a workflow would have made of the events of a time range. Reads only.

Matching is the real one; gates are simulated over facts in memory, with the time each event was
received. What is read beside an event (labels, tags, lists) is as it is now. Runs take no time in
the simulation, so `concurrency` sees only runs that wait for their burst or throttle; other
workflows, and their claims, are not looked at.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from actions import library
from connections.access import Principal
from connections.models import Instance
from events.models import Event
from events.people import known_by
from omni.errors import InvalidInput
from registry.engine.route import conditions, gatekeeping, gates, matching
from registry.engine.route.gatekeeping import Facts, Said
from registry.engine.route.matching import Effective
from registry.engine.run import scope
from registry.language import document
from registry.language.check_actions import Library
from registry.language.definition import Definition
from registry.trials import reading, trial
from registry.trials.staging import Staged
from registry.trials.stubs import Past
from registry.trials.watching import UNWATCHED, Watch

MOST = 10_000
MOST_TRIALS = 100
EXAMPLES = 20
SECONDS = 10.0  # most one trial may take
_PAGE = 500  # events read with one statement


@dataclass(slots=True)
class Report:
    """What came of the events.

    events: looked at; truncated: there were more. matched: a trigger took them. not_matched:
    clause -> how many. gates: open, join, and each refusal -> how many. runs: how many would have
    started. trials: state -> how many, of `tried`; sends: how many would have gone out of those.
    examples: event ids by what came of them, at most EXAMPLES each.
    """

    workflow: str
    since: datetime
    until: datetime
    events: int = 0
    truncated: bool = False
    matched: int = 0
    not_matched: Counter[str] = field(default_factory=Counter)
    gates: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    tried: int = 0
    trials: Counter[str] = field(default_factory=Counter)
    sends: int = 0
    examples: dict[str, list[Any]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "workflow": self.workflow, "since": self.since.isoformat(),
            "until": self.until.isoformat(), "events": self.events, "truncated": self.truncated,
            "matched": self.matched, "not_matched": dict(self.not_matched.most_common()),
            "gates": dict(self.gates), "runs": self.runs, "tried": self.tried,
            "trials": dict(self.trials), "sends": self.sends, "examples": self.examples}

    def example(self, what: str, of: Any) -> None:
        found = self.examples.setdefault(what, [])
        if len(found) < EXAMPLES:
            found.append(of)


@dataclass(slots=True)
class _Run:
    """A run that would have started. batch: ids of the events of its burst."""

    event: Event
    batch: list[int]


def backtest(text: str, *, since: datetime, until: datetime,
             instances: Sequence[Instance] | None = None, most: int = MOST,
             inputs: Mapping[str, Any] | None = None, run: bool = False, trials: int = EXAMPLES,
             pins: Mapping[str, Any] | None = None, past: Past | None = None,
             who: Principal | None = None, watch: Watch = UNWATCHED,
             library: Library = library) -> Report:
    """Look at the stored events received from `since` on and before `until`, oldest first.

    instances: None means all. most: events looked at. inputs: over their defaults.
    run: also try out the first `trials` (at most MOST_TRIALS) runs, with these pins and past.
    who: whose text it is; it reads what they may see. watch: who sees how far it is, and may end
    it.
    Raises InvalidWorkflow with every error, InvalidInput for a range that is none.
    """
    if until <= since:
        raise InvalidInput("`until` must be later than `since`")
    definition = document.parse(text, library=library, published=True)
    given = {**{name: item.default for name, item in definition.inputs.items()}, **(inputs or {})}
    report = Report(definition.id, since, until)
    rows = _rows(since, until, instances)
    watch.expect(rows[:most].count())
    with reading.only():
        runs = _look(report, definition, given, known_by.showing(_in_order(rows), who), most, watch)
    report.runs = len(runs)
    for one in runs[:min(trials, MOST_TRIALS)] if run else ():
        _try(report, text, one, given, pins=pins, past=past, who=who, watch=watch, library=library)
    return report


def _rows(since: datetime, until: datetime,
          instances: Sequence[Instance] | None) -> QuerySet[Event]:
    rows = Event.objects.filter(received_at__gte=since, received_at__lt=until)
    return rows if instances is None else rows.filter(instance__in=instances)


def _in_order(rows: QuerySet[Event]) -> Iterator[Event]:
    """Oldest first, page by page: between two pages no statement and no snapshot is open."""
    rows = rows.select_related("instance", "conversation__merged_into",
                               "contact__merged_into").order_by("received_at", "id")
    page = list(rows[:_PAGE])
    while page:
        for event in page:
            event.take_kept()
            yield event
        last = page[-1]
        page = list(rows.filter(received_at__gte=last.received_at).exclude(
            Q(received_at=last.received_at) & Q(pk__lte=last.pk))[:_PAGE]) if len(
            page) == _PAGE else []


def _look(report: Report, definition: Definition, inputs: dict[str, Any],
          events: Iterator[Event], most: int, watch: Watch) -> list[_Run]:
    effective = Effective(0, definition.id, 0, 0, definition, 0, "global", definition.priority,
                          inputs)
    simulation = _Simulation()
    for event in events:
        if report.events == most:
            report.truncated = True
            break
        report.events += 1
        watch.done(report.events)
        clause = _no(definition, event, inputs)
        if clause is not None:
            report.not_matched[clause] += 1
            report.example(f"not: {clause}", event.pk)
            continue
        report.matched += 1
        report.example("matched", event.pk)
        said = simulation.ask(event, effective)
        verdict = said.result or said.kind
        report.gates[verdict] += 1
        if verdict != "open":
            report.example(verdict, event.pk)
    return list(simulation.runs.values())


def _no(definition: Definition, event: Event, inputs: Mapping[str, Any]) -> str | None:
    """None when a trigger takes the event, else what said no."""
    if why := matching.why_not_routed(event):
        return why
    if not any(trigger.matches_type(event.event_type) for trigger in definition.triggers):
        return f"no trigger takes {event.event_type}"
    values = scope.of_event(event)
    values["now"] = event.received_at
    said = conditions.clause_that_fails(definition, event, values, inputs=inputs)
    return said["clause"] if said else None


class _Simulation:
    """Gates over facts in memory: what has become due is forgotten before each event."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.runs: dict[str, _Run] = {}
        self._due: dict[str, datetime] = {}

    def ask(self, event: Event, effective: Effective) -> Said:
        now = event.received_at
        self._let_pass(now)
        [passage] = gates.approach([(event, effective)])
        if passage.wish is None:
            assert passage.said is not None
            return passage.said
        wish = passage.wish
        run = f"run:{event.pk}"
        said = gatekeeping.decide(replace(wish, run=run), self.facts, now)
        if said.kind == "open":
            self.runs[run] = _Run(event, said.batch if wish.burst_key else [])
        elif said.kind == "join":
            self.runs[said.run] = _Run(event, said.batch)
        for ended in said.cancels:
            self._due.pop(ended, None)
        if said.kind != "refuse" and said.due is not None:
            self._due[said.run] = said.due
        return said

    def _let_pass(self, now: datetime) -> None:
        started = {run for run, due in self._due.items() if due <= now}
        if not started:
            return
        for run in started:
            del self._due[run]
        self.facts.bursts = {key: burst for key, burst in self.facts.bursts.items()
                             if burst.run not in started}
        for line in self.facts.slots.values():
            line[:] = [live for live in line if live.run not in started]


def _try(report: Report, text: str, one: _Run, inputs: Mapping[str, Any], *,
         pins: Mapping[str, Any] | None, past: Past | None, who: Principal | None,
         watch: Watch, library: Library) -> None:
    found = trial.try_out(text, Staged(one.event, batch=tuple(one.batch)), inputs=inputs,
                          pins=pins, past=past, seconds=SECONDS, who=who, watch=watch,
                          library=library)
    report.tried += 1
    report.trials[found.state] += 1
    report.sends += len(found.sends)
    report.example(f"trial: {found.state}", {
        "event": one.event.pk, "end": found.end, "sends": len(found.sends),
        "steps": [entry["id"] or entry["path"] for entry in found.path
                  if entry["status"] != "skipped"]})
