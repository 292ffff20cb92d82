"""Hop 8: takes one claimed run as far as it goes; outcomes are stored before the next effect."""

import logging
from functools import lru_cache

from django.db import transaction
from django.utils import timezone

from events import notify, outcomes
from events.models import Event
from omni import failpoints
from omni.errors import InvalidWorkflow
from registry import alerts, matching, queue, scope
from registry.execution import Again, Ended, Execution
from registry.models import Run, WorkflowVersion

logger = logging.getLogger("omni.registry")


def advance(claim: queue.Claim, *, watch=None) -> None:
    """Walk a run until it ends, fails or must wait.

    watch: called with the Execution before the first step, so that the caller can see its
    deadline. A run that somebody else took over is left alone.
    """
    failpoints.hit("run.claimed")
    try:
        execution = _prepare(claim)
        if isinstance(execution, Ended):
            _end(claim, None, execution)
            return
        if watch is not None:
            watch(execution)
        verdict = _walk(execution)
        if isinstance(verdict, Again):
            with transaction.atomic():
                outcomes.record(execution.pending)
                queue.again_after(claim, verdict.seconds)
            notify.notifier.send(notify.RUNS, str(claim.run_id))
            return
        _end(claim, execution, verdict or Ended("done"))
    except queue.Fenced as exc:
        logger.warning("Run was taken over.", extra={"run": claim.run_id, "reason": exc.message})


def _prepare(claim: queue.Claim) -> Execution | Ended:
    run = _load(claim.run_id)
    if run.deadline is not None and run.deadline <= timezone.now():
        return Ended("failed", "the run's time is up", "timeout")
    try:
        definition = matching.compiled(run.version_id, run.version.text)
    except InvalidWorkflow as exc:
        return Ended("failed", f"version {run.version.number} does not compile: {exc.message}",
                     "invalid_workflow")
    values = scope.of_event(run.event, inputs=run.inputs)
    values["steps"], values["vars"] = {}, {}
    values["run"] = {"id": run.pk, "workflow": run.workflow.slug, "attempt": claim.token,
                     "version": run.version.number, "replay": run.replay_no,
                     "started_at": run.started_at, "dry_run": False}
    values["now"] = run.started_at or timezone.now()  # the same on every walk
    values["vars"] = dict(definition.vars.render(values) or {})
    recorded = {(row.path, row.iteration, row.attempt): row
                for row in outcomes.recorded(run.pk)} if claim.token > 1 else {}
    return Execution(run=run, claim=claim, definition=definition, scope=values,
                     recorded=recorded, careful=claim.deaths > 0)


def _load(run_id: int) -> Run:
    """A run with what it needs; small look-ups by key, because one wide join plans for longer."""
    run = Run.objects.get(pk=run_id)
    run.version = _version(run.version_id)
    run.workflow = run.version.workflow
    run.event = Event.objects.select_related("conversation", "contact").get(pk=run.event_id)
    run.event.instance = run.instance
    return run


@lru_cache(maxsize=512)
def _version(version_id: int) -> WorkflowVersion:
    """A version never changes, and a workflow keeps its slug."""
    return WorkflowVersion.objects.select_related("workflow").get(pk=version_id)


def _walk(execution: Execution) -> Ended | Again | None:
    """The steps; when they fail, the workflow's own `on_error` steps, and the failure stands."""
    verdict = execution.run_steps(execution.definition.steps)
    failed = isinstance(verdict, Ended) and verdict.state == "failed"
    if failed and execution.definition.on_error:
        execution.scope["error"] = {"code": verdict.code, "message": verdict.reason,
                                    "step": execution.failed_path,
                                    "step_id": execution.failed_id}
        handled = execution.run_steps(execution.definition.on_error)
        if isinstance(handled, Again) or (isinstance(handled, Ended)
                                          and handled.state != "failed"):
            return handled
    return verdict


def _end(claim: queue.Claim, execution: Execution | None, ended: Ended) -> None:
    with transaction.atomic():
        if execution is not None:
            outcomes.record(execution.pending)
        queue.end(claim, ended.state, reason=ended.reason, code=ended.code)
        if ended.state == "failed":
            alerts.run_ended_badly(Run.objects.select_related("workflow", "event").get(
                pk=claim.run_id))
    notify.notifier.send(notify.RUNS, str(claim.run_id))
