"""The hands of a walk that really acts: actions of the library, the database, threads for arms."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from pydantic import ValidationError

from actions import decisions, library
from actions.base import Action, Context, Outcome, done, failed
from connections.envelope import OutboundMessage
from connections.http import bulkhead
from events.models import Conversation, Event
from events.outbox import deliver, limits
from omni import failpoints
from omni.errors import InvalidInput
from registry.engine.run import database_errors, echo_wait, journal, rescue, side_threads
from registry.engine.run.execution import Execution
from registry.engine.run.secrecy import masked_facts, without_secrets
from registry.engine.run.so_far import so_far
from registry.engine.starts import calls
from registry.engine.waits import approvals
from registry.engine.waits.waiting import SoFar
from registry.engine.waits.waiting import Wait as Waiting
from registry.engine.work import queue
from registry.language.definition import STEP_SECONDS, DecideBody, Step
from registry.models import Run, Wait

DECIDE_SECONDS = 90.0
JUST_ROUTED = timedelta(seconds=1)
LONGEST_PLACE = 160  # characters of an effect key, of the 255 its column has


class RunHands:
    """Acts for one claimed run."""

    fatal = (queue.Fenced, rescue.Unstorable, OperationalError, InterfaceError)

    def __init__(self, run: Run, claim: queue.Claim) -> None:
        self.run, self.claim = run, claim
        self._since = time.monotonic()
        self._looked_for_loops = False

    def clock(self) -> datetime:
        """The database's clock as of the claim, and the time since."""
        return self.claim.now + timedelta(seconds=time.monotonic() - self._since)

    def so_far(self) -> SoFar:
        return so_far()

    def reached(self, name: str) -> None:
        failpoints.hit(name)

    def has_effect(self, step: Step) -> bool:
        if step.kind == "uses":
            return library.get(step.body.action_id).effects in ("write", "send")
        return step.kind == "decide" or (step.kind == "call" and step.body.mode == "detach")

    def begins_itself(self, step: Step) -> bool:
        """A step that sends stores what came before with the intent of its first effect."""
        return step.kind == "uses" and library.get(step.body.action_id).effects == "send"

    def seconds_for(self, step: Step) -> float:
        if step.timeout:
            return step.timeout
        if step.kind == "uses":
            return library.get(step.body.action_id).timeout
        return DECIDE_SECONDS if step.kind == "decide" else STEP_SECONDS

    def flush(self, execution: Execution, step: Step) -> None:
        """Nothing is written where nothing hangs on it: no outcome to store, no death to explain,
        and the lease so young that nobody can have taken the run over.
        """
        young = time.monotonic() - self._since < settings.OMNI_LEASE_SECONDS / 2
        if young and not execution.pending and not execution.careful:
            return
        journal.flush(self.claim, self.run, execution, at=step.path)

    def act(self, step: Step, execution: Execution) -> Outcome:
        self._refuse_loops(step, execution)
        try:
            with bulkhead.step_of(self.run.instance_id, repeatable=not self.has_effect(step)):
                return without_secrets(execution.scope["secrets"],
                                       lambda: self._act(step, execution))
        except OperationalError as exc:  # of what the step asked for, unless the database is away
            if database_errors.is_transient(exc):
                raise
            return failed(rescue.said(exc), code="error")

    def _act(self, step: Step, execution: Execution) -> Outcome:
        action = library.get(step.body.action_id)
        given = step.body.params.render(execution.scope) or {}
        execution.shown_input = shown(action, given)
        try:
            params = action.params.model_validate(given)
        except ValidationError as exc:
            return invalid(step, exc)
        return action.function(self.run.event, params, self._context(step, execution))

    def decide(self, step: Step, execution: Execution, question: str) -> Outcome:
        self._refuse_loops(step, execution)
        body: DecideBody = step.body
        with bulkhead.step_of(self.run.instance_id, repeatable=False):
            choice = decisions.decide(
                question=question, options=dict.fromkeys(body.options, ""), using=body.using,
                event=self.run.event, context=self._context(step, execution), default=body.default,
                min_confidence=body.min_confidence, max_cost=body.max_cost)
        return done(**choice.as_dict())

    def trouble_calling(self, workflow: str) -> str:
        return calls.trouble(self.run, workflow)

    def call(self, step: Step, execution: Execution, inputs: Mapping[str, Any]) -> Outcome:
        return done(run=calls.detached(self.run, step.path, execution.iteration,
                                       step.body.workflow, dict(inputs)))

    def expire(self, wait: Waiting) -> Waiting:
        row = Wait.objects.get(run_id=self.run.pk, path=wait.path, iteration=wait.iteration)
        wait.result, wait.state = approvals.expire(row.pk), "settled"
        return wait

    def side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """In threads of their own, unless the run lost a worker: then it must show in which step.
        """
        width = min(len(tasks), settings.OMNI_PARALLEL_STEPS)
        if width <= 1 or self.claim.deaths:
            return [task() for task in tasks]
        return side_threads.threads.run(tasks, width=width)

    def _refuse_loops(self, step: Step, execution: Execution) -> None:
        """Before the first effect of an answering run: whether the place gets no answers now.

        The router asked it a moment ago for a run that began at once, and a send asks by itself.
        Raises InvalidInput with code `loop_guard`.
        """
        event = self.run.event
        if self._looked_for_loops or not self.has_effect(step) or self.begins_itself(step):
            return
        self._looked_for_loops = True
        if not execution.definition.sends or event.direction != "inbound" \
                or not event.conversation_ref \
                or self.clock() - self.run.created_at < JUST_ROUTED:
            return
        place = (event.instance_id, event.place)
        loop = limits.looping([place], run_id=self.run.pk).get(place)
        if loop is not None:
            raise InvalidInput(loop.reason, code="loop_guard")

    def _context(self, step: Step, execution: Execution) -> Context:
        run = self.run
        sent = {"instance": run.instance, "caused_by": run.event, "run_id": run.pk,
                "before": lambda write: journal.begin_effect(
                    self.claim, run, execution, write, at=step.path)}
        return Context(
            instance=run.instance, effect_key=effect_key(run.pk, step, execution),
            deadline=time.monotonic() + self.seconds_for(step),
            inputs=dict(execution.scope["inputs"]),
            deliver=lambda message, effect_key, **more: echo_wait.send(
                message, effect_key=effect_key,
                **{**sent, "conversation": place_of_answer(message, run.event, **more), **more}),
            perform=lambda effect_key, **more: deliver.perform(
                effect_key=effect_key,
                **masked_facts(execution.scope["secrets"], {**sent, **more})),
            run_id=run.pk, step_id=step.id or "", workflow=execution.definition.id,
            attempt=execution.attempt)


def place_of_answer(message: OutboundMessage, event: Event,
                    **more: Any) -> Conversation | None:
    """The event's conversation where the message goes into it; else its address says which."""
    goes_back = message.to == event.conversation_ref and more.get(
        "instance", event.instance) == event.instance
    return event.conversation if goes_back else None


def effect_key(run_id: int, step: Step, execution: Execution) -> str:
    """Names the outward acts of one step of one run; the turn of a loop is part of it.

    A long place is named by its digest, so that what the action adds still fits the column.
    """
    turn = f"@{execution.iteration}" if execution.iteration else ""
    place = f"{step.path}{turn}"
    if len(place) > LONGEST_PLACE:
        place = f"sha256.{hashlib.sha256(place.encode()).hexdigest()}"
    return f"omni:{run_id}:{place}"


def shown(action: Action, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a trace shows of parameters: secrets by their name only."""
    return {name: "[secret]" if name in action.secret else value for name, value in given.items()}


def invalid(step: Step, error: ValidationError) -> Outcome:
    """The outcome of parameters that do not fit, each named with its place."""
    wrong = "; ".join(f"with.{'.'.join(map(str, item['loc']))}: {item['msg']}"
                      for item in error.errors(include_input=False, include_url=False))
    return failed(f"{step.path}: {wrong}", code="invalid")
