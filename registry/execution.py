"""One run at work: what it has done, what it may still do, and what its expressions see.

A run is walked from its first step every time it is taken up; steps that have an outcome are not
done again, their recorded output is read instead. That is the whole of resuming.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from actions.base import Outcome
from events import outcomes
from events.models import EventAction
from omni import failpoints
from omni.errors import NotConfigured, OmniError
from registry import queue, scope
from registry.definition import Definition, Step
from registry.models import Run
from registry.retry import delay_after

logger = logging.getLogger("omni.registry")
STEP_SECONDS = 60.0  # most a step without a timeout of its own may take
OUTPUT_MAX = 64 * 1024  # characters of JSON a trace keeps of one output


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over here. state: done, ignored or failed."""

    state: str
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """The run goes back to the queue and is walked again after `seconds`."""

    seconds: float


Verdict = Ended | Again | None  # None: go on with the next step


@dataclass(slots=True)
class Execution:
    """State of one walk. step_deadline: monotonic seconds; past it the lease is renewed no more.

    careful: this run lost a worker before, so every step is noted before it begins.
    """

    run: Run
    claim: queue.Claim
    definition: Definition
    scope: scope.Lazy
    recorded: dict[tuple[str, str, int], EventAction]
    iteration: str = ""
    attempt: int = 1
    shown_input: Any = None
    step_deadline: float = 0.0
    careful: bool = False
    failed_path: str = ""
    failed_id: str = ""
    pending: list[EventAction] = field(default_factory=list)

    def run_steps(self, steps: tuple[Step, ...]) -> Verdict:
        """Steps in order until one of them ends the run or suspends it."""
        for step in steps:
            verdict = self._run_step(step)
            if verdict is not None:
                return verdict
        return None

    def flush(self, step: Step | None = None) -> None:
        """Commit buffered outcomes (and where the run stands); refused when fenced."""
        with transaction.atomic():
            queue.advance_to(self.claim, step.path if step else self.run.step_path)
            outcomes.record(self.pending)
            failpoints.hit("advance.precommit")
        self.pending.clear()

    def _run_step(self, step: Step) -> Verdict:
        module = _module(step.kind)
        attempt = self._attempts(step)
        row = self.recorded.get((step.path, self.iteration, attempt))
        if row is not None and row.final:
            return self._after(step, module, _outcome_of(row))
        self.attempt = attempt + 1
        done = self._execute(step, module)
        if isinstance(done, Ended | Again):
            return done
        return self._after(step, module, done)

    def _attempts(self, step: Step) -> int:
        """How many outcomes this step has."""
        count = 0
        while (step.path, self.iteration, count + 1) in self.recorded:
            count += 1
        return count

    def _execute(self, step: Step, module: Any) -> Outcome | Ended | Again:
        """Do the step and buffer its outcome. Raises Fenced when the run is not ours any more."""
        started, clock = datetime.now(UTC), time.monotonic()
        self.shown_input = None
        self.step_deadline = clock + _timeout(step, module)
        verdict: Ended | None = None
        outcome = self._condition(step)
        if outcome is None:
            if self.careful or getattr(module, "has_effect", _no)(step):
                self.flush(step)
            failpoints.hit("step.start")
            result = self._guarded(step, module)
            if isinstance(result, Ended):
                verdict, outcome = result, Outcome(
                    "done", {"state": result.state}, result.reason, result.code)
            else:
                outcome = result
        delay = self._retry_delay(step, outcome)
        self._note(step, outcome, started, (time.monotonic() - clock) * 1000,
                   final=delay is None)
        failpoints.hit("outcome.precommit")
        return verdict or (outcome if delay is None else Again(delay))

    def _retry_delay(self, step: Step, outcome: Outcome) -> float | None:
        if outcome.status not in ("failed", "unavailable"):
            return None
        return delay_after(self.attempt, step.retry or self.definition.retry, code=outcome.code,
                           retry_after=outcome.output.get("retry_after"))

    def _condition(self, step: Step) -> Outcome | None:
        """A skipped outcome when the step's `if` is not true, None when it is to be done."""
        if step.condition is None:
            return None
        try:
            if step.condition.evaluate(self.scope):
                return None
        except OmniError as exc:
            return Outcome("failed", {}, exc.message, "invalid")
        return Outcome("skipped", {}, f"not true: {step.condition.source}", "condition")

    def _guarded(self, step: Step, module: Any) -> Outcome | Ended:
        """The step itself; every error but the database's becomes an outcome with its reason."""
        try:
            return module.execute(step, self)
        except (queue.Fenced, OperationalError, InterfaceError):
            raise  # a database that went away says nothing about the step: the lease brings it back
        except NotConfigured as exc:
            return Outcome("unavailable", {}, exc.message, exc.code)
        except OmniError as exc:
            output = {"details": exc.details} if exc.details else {}
            if getattr(exc, "retry_after", None) is not None:
                output["retry_after"] = exc.retry_after
            return Outcome("failed", output, exc.message, exc.code)
        except Exception as exc:  # around a step: an action's bug fails its step, not the worker
            logger.exception("Step raised.", extra={"run": self.run.pk, "step": step.path})
            return Outcome("failed", {}, f"{type(exc).__name__}: {exc}", "error")

    def _note(self, step: Step, outcome: Outcome, started: datetime, duration_ms: float, *,
              final: bool) -> None:
        row = EventAction(
            instance_id=self.run.instance_id, event_id=self.run.event_id, run_id=self.run.pk,
            workflow=self.definition.id, path=step.path, iteration=self.iteration,
            attempt=self.attempt, step_id=step.id or "", step_kind=step.kind,
            action=getattr(step.body, "action_id", ""), status=outcome.status,
            code=outcome.code[:64], reason=outcome.reason[:4000], final=final,
            input=_kept(self.shown_input, step), output=outcome.output, token=self.claim.token,
            started_at=started, ended_at=datetime.now(UTC), duration_ms=round(duration_ms, 3))
        self.pending.append(row)
        self.recorded[(step.path, self.iteration, self.attempt)] = row

    def _after(self, step: Step, module: Any, outcome: Outcome) -> Verdict:
        """What an outcome means for the run: go on, go inside, handle an error, or end."""
        self._publish(step, outcome)
        if outcome.status == "done":
            if step.kind == "stop":
                return Ended(outcome.output["state"], outcome.reason, outcome.code)
            restore = getattr(module, "restore", None)
            if restore is not None:
                restore(step, self, outcome.output)
            inside = getattr(module, "inside", None)
            return inside(step, self, outcome.output) if inside else None
        if outcome.status == "skipped":
            return None
        if outcome.status == "stopped":
            return Ended("ignored", outcome.reason, outcome.code)
        if step.on_error == "continue":
            return None
        reason = f"{step.id or step.path}: {outcome.reason}"
        self.failed_path, self.failed_id = step.path, step.id or ""
        if isinstance(step.on_error, tuple):
            self.scope["error"] = {"code": outcome.code, "message": outcome.reason,
                                   "step": step.path, "step_id": step.id or ""}
            return self.run_steps(step.on_error)
        return Ended("failed", reason, outcome.code)

    def _publish(self, step: Step, outcome: Outcome) -> None:
        """Make an outcome readable as `steps.<id>`."""
        if step.id:
            error = None if outcome.status in ("done", "skipped") else {
                "code": outcome.code, "message": outcome.reason}
            value = None if outcome.status == "skipped" else {
                "output": outcome.output, "status": outcome.status, "error": error,
                "attempts": self._attempts(step)}
            self.scope["steps"][step.id] = value


def _module(kind: str) -> Any:
    from registry import steps

    return steps.modules()[kind]


def _no(step: Step) -> bool:
    return False


def _timeout(step: Step, module: Any) -> float:
    timeout_of = getattr(module, "timeout_of", None)
    return timeout_of(step) if timeout_of else step.timeout or STEP_SECONDS


def _outcome_of(row: EventAction) -> Outcome:
    return Outcome(row.status, row.output or {}, row.reason, row.code)


def _kept(shown: Any, step: Step) -> Any:
    """What the trace keeps of a step's input: `store: none` and `meta` keep less."""
    if shown is None or step.store == "none":
        return None
    if step.store == "meta":
        return {name: f"[{type(value).__name__}]" for name, value in shown.items()}
    return shown
