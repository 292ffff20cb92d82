"""A dry run: what a workflow would do with an event, with every value on the way.

Nothing is stored (the database refuses it for as long as the trial lasts) and nothing is sent.
Reads are real, so an action that asks a model asks it; no transaction is open meanwhile. Waits
take no time: the clock jumps.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from actions import library
from connections.access import Principal
from events.models import Event
from omni.errors import InvalidInput, OmniError
from registry.engine.route import conditions, matching
from registry.engine.run import steps
from registry.engine.run.contract import Ended, Place, Record, Suspended
from registry.engine.run.execution import Execution
from registry.engine.waits.waiting import Wait
from registry.expressions import names
from registry.expressions.expression import Expression, ExpressionError
from registry.expressions.lazy import Lazy
from registry.language.check_actions import Library
from registry.language.definition import Trigger
from registry.trials import reading, stand_ins
from registry.trials.hands import TrialHands, TrialOver
from registry.trials.staging import Staged
from registry.trials.stubs import Past
from registry.trials.tracing import MOST, Traced, compile_traced, json_of
from registry.trials.watching import UNWATCHED, Watch

STATES = ("done", "ignored", "failed", "waits", "stopped")
MOST_PAUSES = 500


@dataclass(slots=True)
class Trial:
    """What a trial came to.

    matched, reason: whether a trigger takes the event, else the clause that said no. gates: the
    key of each gate. path: steps in the order they ended, with where each outcome came from
    (computed, executed, recorded, pin, past, sample, default, answer, clock). sends: messages and
    other acts that would have gone out. state: "" when the steps were not begun, done, ignored,
    failed, waits (waits_for says for what), or stopped (by `until` or a limit of the trial).
    """

    workflow: str
    event: int | None = None
    matched: bool = False
    reason: str = ""
    gates: dict[str, Any] = field(default_factory=dict)
    path: list[dict[str, Any]] = field(default_factory=list)
    expressions: list[dict[str, Any]] = field(default_factory=list)
    sends: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    state: str = ""
    end: str = ""
    code: str = ""
    waits_for: list[dict[str, Any]] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    took_ms: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {item.name: json_of(getattr(self, item.name)) for item in fields(self)}

    def outputs(self) -> dict[str, Any]:
        """Output of each step with an id; of several turns the last."""
        return {entry["id"]: entry["output"] for entry in self.path if entry["id"]}


def try_out(text: str, event: Event | Staged, *, inputs: Mapping[str, Any] | None = None,
            pins: Mapping[str, Any] | None = None, answers: Mapping[str, Any] | None = None,
            past: Past | None = None, until: str = "", ask: bool = False, anyway: bool = False,
            now: datetime | None = None, seconds: float = 60.0, version: int | None = None,
            who: Principal | None = None, watch: Watch = UNWATCHED,
            library: Library = library) -> Trial:
    """Try a document on an event.

    pins, answers: output by id or path of a step, or {status, code, reason}; answers count first.
    They give the events of waits, people's answers and choices. past: earlier outputs, for writes
    that have no pin. ask: let a `decide` without a pin ask. anyway: do the steps of a workflow
    that the event would not wake. until: id or path of the step to stop before. now: by default
    when a stored event was received. seconds: most the trial may take; a step that is being done
    is not interrupted. who: who asks; actions read what they may read, the rest is not there, and
    who does not see every instance gets stand-ins for secrets. watch: who may end it.
    Raises InvalidWorkflow with every error of the document, InvalidInput for an unknown input,
    step or `until`.
    """
    traced = compile_traced(text, library=library)
    staged = event if isinstance(event, Staged) else Staged(event)
    now = now or (staged.event.received_at if staged.is_stored else timezone.now())
    given = {**(pins or {}), **(answers or {})}
    _check_names(traced, inputs or {}, given, until)
    values = {name: item.default for name, item in traced.definition.inputs.items()}
    hands = TrialHands(
        staged=staged, workflow=traced.definition.id, library=library, now=now, ids=traced.ids,
        given=given, past=past, ask=ask, until=until, seconds=seconds, who=who, watch=watch)
    trial = _Trying(traced, staged, hands, {**values, **(inputs or {})}, version, now)
    started = time.monotonic()
    with reading.only():
        result = trial.run(anyway=anyway)
    result.took_ms = round((time.monotonic() - started) * 1000, 3)
    return result


def _check_names(traced: Traced, inputs: Mapping[str, Any], given: Mapping[str, Any],
                 until: str) -> None:
    wrong = {name: f"what is given for '{name}' must be a mapping: the output of that step"
             for name, output in given.items() if not isinstance(output, Mapping)}
    places = {*traced.ids, *filter(None, traced.ids.values())}
    for kind, asked, known in (("input", list(inputs), set(traced.definition.inputs)),
                               ("step", [*given, *([until] if until else [])], places)):
        for name in asked:
            if name not in known:
                near = names.nearest(name, sorted(known))
                wrong[name] = f"the workflow has no {kind} '{name}'" + (
                    f"; did you mean '{near}'?" if near else "")
    if wrong:
        raise InvalidInput("; ".join(wrong.values()), details=wrong)


@dataclass(slots=True)
class _Trying:
    """One trial under way. recorded, waits, progress: what a real run would have in its rows."""

    traced: Traced
    staged: Staged
    hands: TrialHands
    inputs: dict[str, Any]
    version: int | None
    started: datetime
    recorded: dict[tuple[str, str, int], Record] = field(default_factory=dict)
    waits: dict[Place, Wait] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)

    def run(self, *, anyway: bool) -> Trial:
        definition, event = self.traced.definition, self.staged.event
        trial = Trial(definition.id, event.pk if self.staged.is_stored else None)
        roots = self.staged.roots(now=self.started, inputs=self.inputs)
        trial.matched, trial.reason = verdict(self.traced, event, roots, self.inputs)
        if trial.matched or anyway:
            roots["secrets"] = stand_ins.vault_for(self.hands.who, event.instance_id)
            roots.update(steps={}, vars={}, inputs=self.inputs, run={
                "id": None, "workflow": definition.id, "version": self.version, "attempt": 1,
                "replay": 0, "started_at": self.started, "dry_run": True})
            self._gates(trial, roots)
            self._steps(trial, roots)
        trial.sends, trial.calls = self.hands.sends, self.hands.calls
        trial.problems += self.hands.problems
        trial.expressions = self.traced.tracer.seen
        if self.traced.tracer.left_out:
            trial.problems.append(f"only the first {MOST} values are shown; "
                                  f"{self.traced.tracer.left_out} more were left out")
        return trial

    def _gates(self, trial: Trial, roots: Lazy) -> None:
        """The key of each gate, and what `cancel_on` would watch for."""
        definition, event = self.traced.definition, self.staged.event
        for name in ("once", "debounce", "throttle", "concurrency"):
            gate = getattr(definition, name)
            if gate is None:
                continue
            key: Expression | None = gate.key
            try:
                trial.gates[name] = json_of(key.evaluate(roots)) if key is not None else (
                    event.conversation_id if name == "debounce" else None)
            except ExpressionError as exc:
                trial.problems.append(f"{name}.key: {exc.message}")
        for number, match in enumerate(definition.cancel_on):
            for field_name, value in match.match.items():
                try:
                    value.render(roots)
                except ExpressionError as exc:
                    trial.problems.append(f"cancel_on[{number}].{field_name}: {exc.message}")

    def _steps(self, trial: Trial, roots: Lazy) -> None:
        try:
            start = dict(self.traced.definition.vars.render(roots) or {})
            ended = self._walk(trial, roots, start)
        except TrialOver as exc:
            trial.state, trial.end, trial.waits_for = exc.state, exc.reason, exc.waits_for
        except OmniError as exc:
            trial.state, trial.end, trial.code = "failed", f"vars: {exc.message}", "invalid"
        else:
            if ended is not None:
                trial.state, trial.end, trial.code = ended.state, ended.reason, ended.code

    def _walk(self, trial: Trial, roots: Lazy, start: dict[str, Any]) -> Ended | None:
        """Walk as a run does, from its first step after each pause."""
        life = timedelta(seconds=self.traced.definition.timeout)
        for _ in range(MOST_PAUSES):
            if self.hands.now >= self.started + life:
                return Ended("failed", "the run's time is up", "timeout")
            values = roots.fork()
            values["steps"], values["vars"] = {}, dict(start)
            execution = Execution(
                definition=self.traced.definition, scope=values, hands=self.hands,
                kinds=steps.modules(), recorded=self.recorded, waits=self.waits,
                progress=self.progress)
            try:
                found = execution.run()
            finally:
                self._collect(trial, execution)
            if not isinstance(found, Suspended):
                trial.output = json_of(execution.scope["vars"])
                return found or Ended("done")
            if not self.hands.go_on(self.waits, self.recorded):
                waits_for = self.hands.open_waits(self.waits, self.recorded)
                raise TrialOver("waits", _wording(waits_for), waits_for)
        raise TrialOver("stopped", f"the trial was ended after {MOST_PAUSES} pauses")

    def _collect(self, trial: Trial, execution: Execution) -> None:
        for record in [*execution.pending, *(row for lane in execution.lanes
                                             for row in lane.pending)]:
            source = self.hands.sources.get((record.path, record.iteration))
            if record.step_kind == "wait" and source is None:
                source = "clock"
            trial.path.append({
                "path": record.path, "iteration": record.iteration, "id": record.step_id,
                "kind": record.step_kind, "action": record.action, "attempt": record.attempt,
                "status": record.status, "reason": record.reason, "code": record.code,
                "source": "computed" if record.status == "skipped" and source is None
                else source or "computed",
                "input": json_of(record.input), "output": json_of(record.output),
                "took_ms": record.duration_ms, "at": record.started_at})


def verdict(traced: Traced, event: Event, roots: Lazy,
            inputs: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a trigger takes the event, and why not. A workflow without a trigger for events is
    started by hand or by the clock.
    """
    definition = traced.definition
    listening = [trigger for trigger in definition.triggers if trigger.event]
    if not listening:
        return True, "it is not started by events"
    if why := matching.why_not_routed(event):
        return False, why
    if not any(trigger.matches_type(event.event_type) for trigger in listening):
        return False, f"no trigger takes {event.event_type}"
    said = conditions.clause_that_fails(definition, event, roots, inputs=inputs)
    _tell_conditions(listening, event, roots)
    return said is None, said["clause"] if said else ""


def _tell_conditions(triggers: list[Trigger], event: Event, roots: Lazy) -> None:
    """Have each condition that was asked tell its value: matching computes it part by part."""
    for trigger in triggers:
        if trigger.where is None or not trigger.matches_type(event.event_type):
            continue
        try:
            if trigger.where.evaluate(roots):
                return
        except ExpressionError:
            continue  # it was told; what it means for the match is `clause_that_fails`'


def _wording(waits_for: list[dict[str, Any]]) -> str:
    return "waits for " + ", ".join(
        f"{item['kind']} at {item['id'] or item['path']}" for item in waits_for)
