"""The hands of a trial: they read, and store and send nothing. What would be sent is kept in order.

Actions without an effect and reads are really executed; sends are executed with a recorder in the
outbox's place; writes are never executed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from pydantic import ValidationError

from actions import decisions
from actions.base import Action, Context, Outcome, done, failed
from connections.access import Principal
from connections.envelope import OutboundMessage
from connections.secrets.forms import MASK
from connections.storable import storable
from events.outbox import attempts
from events.outbox.attempts import Delivered
from registry.engine.run.contract import Place, Record
from registry.engine.run.execution import Execution
from registry.engine.run.hands import DECIDE_SECONDS, invalid, shown
from registry.engine.run.secrecy import masked_facts, without_secrets
from registry.engine.waits.waiting import SoFar, Wait
from registry.language.check_actions import Library
from registry.language.definition import STEP_SECONDS, Step
from registry.models import Workflow
from registry.trials import reading, stand_ins, stubs
from registry.trials.staging import Staged
from registry.trials.stubs import Past
from registry.trials.watching import UNWATCHED, Canceled, Watch

MOST_STEPS = 5_000
WOULD_WRITE = "would_write"
_READ_ONLY = "25006"  # SQLSTATE of a write in a read-only transaction


class TrialOver(Exception):
    """The trial ends here. waits_for: what it would need to go on."""

    def __init__(self, state: str, reason: str, waits_for: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(reason)
        self.state, self.reason, self.waits_for = state, reason, list(waits_for)


@dataclass
class TrialHands:
    """now: the trial's clock, which jumps over waits. given: answers and pins, by id or path.

    ids: path of a step -> its id. until: id or path of a step; the trial stops before it.
    seconds: most the whole trial may take. who: whose eyes it reads with.
    watch: who may end it from outside. sources: where each step's outcome came from. sends,
    calls: what would have gone out.
    """

    staged: Staged
    workflow: str
    library: Library
    now: datetime
    ids: Mapping[str, str]
    given: Mapping[str, Any] = field(default_factory=dict)
    past: Past | None = None
    ask: bool = False
    until: str = ""
    seconds: float = 60.0
    who: Principal | None = None
    watch: Watch = UNWATCHED
    sources: dict[Place, str] = field(default_factory=dict)
    sends: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    timeouts: set[Place] = field(default_factory=set)
    steps: int = 0
    fatal: tuple[type[BaseException], ...] = (TrialOver, Canceled)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.seconds

    def clock(self) -> datetime:
        return self.now

    def so_far(self) -> SoFar:
        return SoFar(0)  # nothing comes while a trial lasts but what it is given

    def reached(self, name: str) -> None:
        """Before each step: whether the trial has gone on for too long."""
        if name != "step.start":
            return
        self.watch.look()
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TrialOver("stopped", f"the trial was ended after {MOST_STEPS} steps")
        if time.monotonic() > self.deadline:
            raise TrialOver("stopped", f"the trial was ended after {self.seconds:g} seconds")

    def has_effect(self, step: Step) -> bool:
        return False

    def begins_itself(self, step: Step) -> bool:
        return False

    def seconds_for(self, step: Step) -> float:
        if self.until and self.until in (step.id, step.path):
            raise TrialOver("stopped", f"stopped before {self.until}, as asked")
        if step.timeout:
            return step.timeout
        if step.kind == "uses":
            return self.library.get(step.body.action_id).timeout
        return DECIDE_SECONDS if step.kind == "decide" else STEP_SECONDS

    def flush(self, execution: Execution, step: Step) -> None:
        """Nothing is stored."""

    def side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """One after the other: threads would have connections that may write."""
        return [task() for task in tasks]

    def act(self, step: Step, execution: Execution) -> Outcome:
        return without_secrets(execution.scope["secrets"], lambda: self._act(step, execution))

    def _act(self, step: Step, execution: Execution) -> Outcome:
        action = self.library.get(step.body.action_id)
        values = step.body.params.render(execution.scope) or {}
        execution.shown_input = shown(action, values)
        try:
            params = action.params.model_validate(values)
        except ValidationError as exc:
            if stand_ins.refused(step, execution.scope["secrets"], exc):
                return self._hidden(action, step, execution)
            return invalid(step, exc)
        given = self._given(step.path)
        if action.effects == "send":
            outcome = self._execute(action, params, step, execution, "recorded")
            if given is None and outcome.code != WOULD_WRITE:
                return outcome
        if given is not None:
            return self._stub(step, execution, "pin", given)
        if action.effects in ("none", "read"):
            return self._execute(action, params, step, execution, "executed")
        before = self.past(step) if self.past else None
        if before is not None:
            return self._stub(step, execution, "past", before)
        return self._stub(step, execution, "sample", stubs.sample(action.output))

    def decide(self, step: Step, execution: Execution, question: str) -> Outcome:
        body, given = step.body, self._given(step.path)
        if given is not None:
            if "choice" not in given:
                return self._stub(step, execution, "pin", given)
            if given["choice"] not in body.options:
                return failed(f"'{given['choice']}' is not one of {', '.join(body.options)}",
                              code="invalid")
            return self._stub(step, execution, "pin", {"confidence": None, "reason": "", **given})
        if self.ask:
            choice = decisions.decide(
                question=question, options=dict.fromkeys(body.options, ""), using=body.using,
                event=self.staged.event, context=self._context(step, execution),
                default=body.default, min_confidence=body.min_confidence, max_cost=body.max_cost)
            self._from(step, execution, "executed")
            return done(**choice.as_dict())
        if body.default is None:
            raise TrialOver("waits", f"{step.id or step.path}: a choice is needed", [{
                "path": step.path, "id": step.id or "", "kind": "decide", "question": question,
                "options": list(body.options)}])
        return self._stub(step, execution, "default", {
            "choice": body.default, "confidence": None, "reason": "a trial does not ask"})

    def trouble_calling(self, workflow: str) -> str:
        if not Workflow.objects.filter(slug=workflow, archived_at=None).exists():
            self.problems.append(f"there is no workflow '{workflow}' to call here")
        return ""

    def call(self, step: Step, execution: Execution, inputs: Mapping[str, Any]) -> Outcome:
        self.calls.append({"path": step.path, "workflow": step.body.workflow, "mode": "detach",
                           "inputs": dict(inputs)})
        given = self._given(step.path)
        return self._stub(step, execution, "sample" if given is None else "pin",
                          {"run": None} if given is None else given)

    def expire(self, wait: Wait) -> Wait:
        approve = wait.facts.get("on_timeout") == "approve"
        wait.state, wait.result = "settled", {
            "decision": "approve" if approve else "reject", "edited": None, "by": "",
            "comment": "", "at": self.now.isoformat(), "timed_out": True}
        self.sources[wait.path, wait.iteration] = "clock"
        return wait

    def go_on(self, waits: Mapping[Place, Wait], recorded: Mapping[Any, Record]) -> bool:
        """Give open waits their answers, or let time pass to the next moment; False: it waits."""
        fresh = [wait for wait in waits.values() if wait.state == "open"
                 and (wait.path, wait.iteration) not in self.timeouts and self._answer(wait)]
        if fresh:
            return True
        moments = [wait.wake_at for place, wait in waits.items() if wait.state == "open"
                   and (wait.kind == "time" or place in self.timeouts)]
        last: dict[Place, Record] = {}
        for record in recorded.values():
            last[record.path, record.iteration] = record
        moments += [datetime.fromisoformat(record.output["retry_at"]) for record in last.values()
                    if not record.final]
        ahead = [moment for moment in moments if moment is not None and moment > self.now]
        if ahead:
            self.now = min(ahead)
        return bool(ahead)

    def open_waits(self, waits: Mapping[Place, Wait],
                   recorded: Mapping[Any, Record]) -> list[dict[str, Any]]:
        """What somebody or something else would have to give."""
        over = {(record.path, record.iteration) for record in recorded.values() if record.final}
        return [{"path": wait.path, "id": self.ids.get(wait.path, ""), "kind": wait.kind,
                 "until": wait.wake_at, "event": list(wait.event_types), "where": wait.where,
                 **wait.facts} for place, wait in waits.items()
                if wait.state == "open" and wait.kind != "time" and place not in over]

    def _answer(self, wait: Wait) -> bool:
        """Settle a wait by what was given for its step; calls are never followed."""
        given, place = self._given(wait.path), (wait.path, wait.iteration)
        if wait.kind == "call":
            self.calls.append({"path": wait.path, "mode": "wait", **wait.facts})
            wait.result = {"run": None, "state": "done", "reason": "", "code": "", "output": {},
                           **_call_answer(given or {})}
            self.sources[place] = "sample" if given is None else "pin"
        elif given is None or wait.kind not in ("event", "approval"):
            return False
        elif given.get("outcome") == "timeout" or given.get("timed_out"):
            self.timeouts.add(place)
            self.sources[place] = "answer"
            return wait.wake_at is not None
        elif wait.kind == "event":
            wait.result = {"event": given.get("event", {})}
            self.sources[place] = "answer"
        else:
            wait.result = {"decision": "approve", "edited": None, "by": "", "comment": "",
                           "at": self.now.isoformat(), "timed_out": False, **given}
            self.sources[place] = "answer"
        wait.state = "settled"
        return True

    def _given(self, path: str) -> Mapping[str, Any] | None:
        return self.given.get(self.ids.get(path, ""), self.given.get(path))

    def _from(self, step: Step, execution: Execution, source: str) -> None:
        self.sources[step.path, execution.iteration] = source

    def _stub(self, step: Step, execution: Execution, source: str,
              given: Mapping[str, Any]) -> Outcome:
        self._from(step, execution, source)
        return stubs.outcome_of(given) if source == "pin" else done(**given)

    def _hidden(self, action: Action, step: Step, execution: Execution) -> Outcome:
        """A step that cannot be done without the secrets that are hidden here."""
        if action.effects == "send":
            self.sends.append({**_about(step, execution), "kind": action.id, "to": MASK,
                               "instance": self.staged.event.instance.slug, "request": {}})
        given = self._given(step.path)
        return self._stub(step, execution, "sample" if given is None else "pin",
                          stubs.sample(action.output) if given is None else given)

    def _execute(self, action: Action, params: Any, step: Step, execution: Execution,
                 source: str) -> Outcome:
        self._from(step, execution, source)
        try:
            with reading.part():
                return action.function(self.staged.event, params,
                                       self._context(step, execution))
        except DatabaseError as exc:
            if getattr(exc.__cause__, "sqlstate", "") != _READ_ONLY:
                raise
            return failed(f"{action.id} tried to write and a trial stores nothing; pin this step",
                          code=WOULD_WRITE)

    def _context(self, step: Step, execution: Execution) -> Context:
        turn = f"@{execution.iteration}" if execution.iteration else ""
        seconds = min(self.seconds_for(step), max(self.deadline - time.monotonic(), 0.1))
        about = _about(step, execution)
        return Context(
            instance=self.staged.event.instance, effect_key=f"trial:{step.path}{turn}",
            deadline=time.monotonic() + seconds, inputs=dict(execution.scope["inputs"]),
            deliver=lambda message, effect_key, **more: self._sent(about, message, **more),
            perform=lambda effect_key, **more: self._performed(
                about, **masked_facts(execution.scope["secrets"], more)),
            step_id=step.id or "", workflow=self.workflow, attempt=execution.attempt,
            dry_run=True, viewer=self.who)

    def _sent(self, about: dict[str, Any], message: OutboundMessage,
              **more: Any) -> Delivered:
        instance = more.get("instance") or self.staged.event.instance
        asked = attempts.request_of(message)
        asked["to"] = self.staged.address(message.to)
        self.sends.append({**about, "instance": instance.slug, **storable(asked)})
        return Delivered("succeeded", outbox_id=0)

    def _performed(self, about: dict[str, Any], *, kind: str, recipient: str,
                   request: dict[str, Any], **more: Any) -> Delivered:
        instance = more.get("instance") or self.staged.event.instance
        self.sends.append({**about, "instance": instance.slug, "kind": kind, "to": recipient,
                           "request": storable(request)})
        return Delivered("succeeded", outbox_id=0)


def _about(step: Step, execution: Execution) -> dict[str, Any]:
    return {"path": step.path, "id": step.id or "", "iteration": execution.iteration}


def _call_answer(given: Mapping[str, Any]) -> dict[str, Any]:
    """{status: failed, …} is how every step is made to fail; a called run says `state`."""
    facts = dict(given)
    if "status" in facts:
        facts["state"] = facts.pop("status")
    return facts
