"""The state machine of one run: which step is next, and what its outcome means. Pure.

A run is walked from its first step every time it is taken up; steps that have an outcome are not
done again, their recorded output is read instead. That is the whole of resuming. What touches the
world (the database, actions, the clock) is behind `contract.Hands`; tests put hands of their own
there.

One subject in one file: what a step's outcome means cannot be read apart from what comes next.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from actions.base import Outcome
from omni.errors import BreakerOpen, Held, NotConfigured, OmniError
from registry.engine.run import keeping
from registry.engine.run.contract import Ended, Record, Suspended, Verdict, Walk, outcome_of
from registry.engine.waits.waiting import Wait
from registry.language.definition import Step
from registry.language.retry import delay_after

logger = logging.getLogger("omni.registry")
LONGEST_DELAY = 30 * 86_400.0  # seconds; what others ask us to wait has no bounds
SURELY = 0.1  # seconds our clock may be behind the database's: who comes early is held once more
WAITED_FOR = frozenset(("wait", "approval", "call"))  # kinds of step that suspend the run
# Kinds whose outcomes may go with the intent of the next send; choices and lists are stored before
# the steps inside begin.
_PLAIN = frozenset(("uses", "set", "stop"))


@dataclass(slots=True)
class Execution(Walk):
    """One walk. lanes: walks of parallel arms and turns, while they run."""

    lanes: "list[Execution]" = field(default_factory=list)

    def run(self) -> Verdict:
        """The steps; when they fail, the workflow's own `on_error`, and the failure stands."""
        verdict = self.run_steps(self.definition.steps)
        if not (isinstance(verdict, Ended) and verdict.state == "failed"
                and self.definition.on_error):
            return verdict
        self._tell_error(verdict.code, verdict.reason, self.failed_path, self.failed_id)
        handled = self.run_steps(self.definition.on_error)
        if isinstance(handled, Suspended) or (isinstance(handled, Ended)
                                              and handled.state != "failed"):
            return handled
        return verdict

    def run_steps(self, steps: Sequence[Step]) -> Verdict:
        """Steps in order until one of them ends the run or suspends it."""
        for step in steps:
            verdict = self._run_step(step)
            if verdict is not None:
                return verdict
        return None

    def is_overdue(self, *, grace: float) -> bool:
        """Whether a step overran its time by more than `grace` seconds."""
        late = self.step_deadline > 0 and time.monotonic() > self.step_deadline + grace
        return late or any(lane.is_overdue(grace=grace) for lane in list(self.lanes))

    def wait_of(self, step: Step) -> Wait | None:
        return self.waits.get((step.path, self.iteration))

    def open(self, wait: Wait) -> Suspended:
        """Begin to wait; the row is stored when the walk suspends."""
        self.waits[(wait.path, wait.iteration)] = wait
        self.opened.append(wait)
        return Suspended(wait.wake_at)

    def commit(self, step: Step) -> None:
        """Have everything so far on disk, because several walks go on from here."""
        if self.pending:
            self.hands.flush(self, step)

    def note(self, step: Step, outcome: Outcome, *, started: datetime, duration_ms: float,
             final: bool = True, path: str = "", attempt: int | None = None) -> Record:
        """Remember an outcome; it is committed with the next effect or the end of the walk.

        outcome: as `keeping.kept` gives it.
        """
        record = Record(
            path=path or step.path, iteration=self.iteration,
            attempt=self.attempt if attempt is None else attempt, step_id=step.id or "",
            step_kind=step.kind, action=getattr(step.body, "action_id", ""),
            status=outcome.status, code=outcome.code[:64], reason=outcome.reason[:4000],
            final=final, input=keeping.shown(_kept(self.shown_input, step)), output=outcome.output,
            started_at=started, ended_at=started + timedelta(milliseconds=duration_ms),
            duration_ms=round(duration_ms, 3))
        self.pending.append(record)
        self.recorded[(record.path, record.iteration, record.attempt)] = record
        return record

    def publish(self, step: Step, outcome: Outcome, attempts: int) -> None:
        """Make an outcome readable as `steps.<id>`."""
        if not step.id:
            return
        error = None if outcome.status in ("done", "skipped") else {
            "code": outcome.code, "message": outcome.reason}
        self.scope["steps"][step.id] = None if outcome.status == "skipped" else {
            "output": outcome.output, "status": outcome.status, "error": error,
            "attempts": attempts}

    def _run_step(self, step: Step) -> Verdict:
        module = self.kinds[step.kind]
        last = self._last(step)
        if last is not None and last.final:
            return self._after(step, module, outcome_of(last), last.attempt)
        if self.frozen:
            return Suspended(None)
        if last is not None:
            due = datetime.fromisoformat(last.output["retry_at"])
            if due > self.hands.clock():
                return Suspended(due, keeps_place=True)
        self.attempt = last.attempt + 1 if last else 1
        begun = last is not None or self.wait_of(step) is not None
        done = self._execute(step, module, begun=begun)
        if isinstance(done, Outcome):
            return self._after(step, module, done, self.attempt)
        return done

    def _last(self, step: Step) -> Record | None:
        """The newest record of a step."""
        found, attempt = None, 1
        while (record := self.recorded.get((step.path, self.iteration, attempt))) is not None:
            found, attempt = record, attempt + 1
        return found

    def _execute(self, step: Step, module: Any, *, begun: bool) -> Outcome | Verdict:
        """Do the step and buffer its outcome. begun: its condition was found true before."""
        started, clock = self.hands.clock(), time.monotonic()
        self.shown_input = None
        self.step_deadline = clock + self.hands.seconds_for(step)
        outcome = None if begun else self._condition(step)
        end: Ended | None = None
        if outcome is None:
            if self._is_noted(step):
                self.hands.flush(self, step)
            self.hands.reached("step.start")
            result = self._guarded(step, module)
            if isinstance(result, Suspended):
                return result
            if isinstance(result, Ended):
                end, result = result, Outcome("done", {"state": result.state}, result.reason,
                                              result.code)
            outcome = keeping.kept(result)
        took = (time.monotonic() - clock) * 1000
        delay = self._retry_delay(step, outcome)
        if delay is not None:
            due = self.hands.clock() + timedelta(seconds=min(delay, LONGEST_DELAY))
            outcome = Outcome(outcome.status, {**outcome.output, "retry_at": due.isoformat()},
                              outcome.reason, outcome.code)
        self.note(step, outcome, started=started, duration_ms=took, final=delay is None)
        self.hands.reached("outcome.precommit")
        if self.in_lane and (self.careful or self.hands.has_effect(step)):
            self.hands.flush(self, step)  # a neighbour's death must not repeat it
        if end is not None:
            return end
        return outcome if delay is None else Suspended(due, keeps_place=True)

    def _is_noted(self, step: Step) -> bool:
        """Whether the run's row must name the step before it begins: a worker may die in it.

        A step that waits does nothing by itself: it is looked at on every walk, and would make the
        deaths in another arm forgotten.
        """
        if self.careful and step.kind not in WAITED_FOR:
            return True
        return self.hands.has_effect(step) and not (
            self.hands.begins_itself(step)
            and all(record.step_kind in _PLAIN for record in self.pending))

    def _retry_delay(self, step: Step, outcome: Outcome) -> float | None:
        code = outcome.code
        if outcome.status == "unknown" and outcome.output.get("repeatable"):
            code = "timeout"
        elif outcome.status not in ("failed", "unavailable"):
            return None
        return delay_after(self.attempt, step.retry or self.definition.retry, code=code,
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

    def _guarded(self, step: Step, module: Any) -> Outcome | Ended | Suspended:
        """The step itself; every error but the fatal ones becomes an outcome with its reason."""
        try:
            return module.execute(step, self)
        except self.hands.fatal:
            raise  # it says nothing about the step: the lease brings the run back
        except Held as exc:  # our own limiter: no attempt was made
            wait = exc.retry_after + SURELY if exc.retry_after > 0 else 0.0
            return Suspended(self.hands.clock() + timedelta(seconds=wait),
                             keeps_place=True, reason=f"{step.path} waits: {exc.message}")
        except NotConfigured as exc:
            return Outcome("unavailable", {}, exc.message, exc.code)
        except BreakerOpen as exc:
            return Outcome("unavailable", {"retry_after": exc.retry_after}, exc.message, exc.code)
        except OmniError as exc:
            output: dict[str, Any] = {"details": exc.details} if exc.details else {}
            if (asked := getattr(exc, "retry_after", None)) is not None:
                output["retry_after"] = asked
            return Outcome("failed", output, exc.message, exc.code)
        except Exception as exc:  # around a step: an action's bug fails its step, not the worker
            logger.exception("Step raised.", extra={"workflow": self.definition.id,
                                                    "step": step.path})
            return Outcome("failed", {}, f"{type(exc).__name__}: {exc}", "error")

    def _after(self, step: Step, module: Any, outcome: Outcome, attempts: int) -> Verdict:
        """What an outcome means for the run: go on, go inside, handle an error, or end."""
        self.publish(step, outcome, attempts)
        if outcome.status == "done":
            if step.kind == "stop":
                return Ended(outcome.output["state"], outcome.reason, outcome.code)
            restore = getattr(module, "restore", None)
            if restore is not None:
                restore(step, self, outcome.output)
            inside = getattr(module, "inside", None)
            return self._caught(step, inside(step, self, outcome.output)) if inside else None
        if outcome.status == "skipped":
            return None
        if outcome.status == "stopped":
            return Ended("ignored", outcome.reason, outcome.code)
        self.failed_path, self.failed_id = step.path, step.id or ""
        return self._handled(step, Ended("failed", f"{step.id or step.path}: {outcome.reason}",
                                         outcome.code), outcome.reason)

    def _caught(self, step: Step, verdict: Verdict) -> Verdict:
        """A failure inside a step is the step's own to handle; a `stop` is nobody's."""
        if isinstance(verdict, Ended) and verdict.state == "failed" and verdict.code != "stopped":
            return self._handled(step, verdict, verdict.reason)
        return verdict

    def _handled(self, step: Step, failure: Ended, message: str) -> Verdict:
        """What the step's `on_error` makes of its failure."""
        if step.on_error == "continue":
            return None
        if isinstance(step.on_error, tuple):
            self._tell_error(failure.code, message, self.failed_path, self.failed_id)
            return self.run_steps(step.on_error)
        return failure

    def _tell_error(self, code: str, message: str, path: str, id: str) -> None:
        self.scope["error"] = {"code": code, "message": message, "step": path, "step_id": id}


def _kept(shown: Any, step: Step) -> Any:
    """What the trace keeps of a step's input: `store: none` and `meta` keep less."""
    if shown is None or step.store == "none":
        return None
    if step.store == "meta":
        return {name: f"[{type(value).__name__}]" for name, value in shown.items()}
    return shown
