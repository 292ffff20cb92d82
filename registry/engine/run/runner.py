"""Hop 8: takes one claimed run as far as it goes; outcomes are stored before the next effect."""

import logging
from functools import lru_cache

from connections.models import by_id
from events.models import Event
from events.store import notify
from omni import failpoints
from omni.config import revision
from omni.errors import InvalidWorkflow
from registry.engine.route import bursts, matching
from registry.engine.run import journal, scope, steps
from registry.engine.run.contract import Ended, Suspended
from registry.engine.run.execution import Execution
from registry.engine.run.hands import RunHands
from registry.engine.waits import waits
from registry.engine.work import queue
from registry.models import Run, WorkflowVersion

logger = logging.getLogger("omni.registry")


def advance(claim: queue.Claim, *, watch=None) -> None:
    """Walk a run until it ends, fails or must wait.

    watch: called with the Execution before the first step, so that the caller can see its
    deadline. A run that somebody else took over is left alone.
    """
    failpoints.hit("run.claimed")
    try:
        run = _load(claim.run_id)
        execution = _prepare(run, claim)
        if isinstance(execution, Ended):
            journal.end(claim, run, None, execution)
            return
        if watch is not None:
            watch(execution)
        verdict = execution.run()
        if isinstance(verdict, Suspended):
            journal.suspend(claim, run, execution, verdict)
        else:
            journal.end(claim, run, execution, verdict or Ended("done"))
        if run.slot_key is not None:
            notify.notifier.send(notify.WORK)  # its place in line is free
    except queue.Fenced as exc:
        logger.warning("Run was taken over.", extra={"run": claim.run_id, "reason": exc.message})


def _prepare(run: Run, claim: queue.Claim) -> Execution | Ended:
    if run.deadline is not None and run.deadline <= claim.now:
        return Ended("failed", "the run's time is up", "timeout")
    try:
        definition = matching.compiled(run.version_id, run.version.text)
    except InvalidWorkflow as exc:
        return Ended("failed", f"version {run.version.number} does not compile: {exc.message}",
                     "invalid_workflow")
    resumed = claim.token > 1 or run.rerun_of_id is not None
    recorded = journal.recorded(run) if resumed else {}
    waited = waits.of_run(run.pk) if resumed else {}
    burst = _burst(run, begins=not (recorded or waited or run.step_path)) if run.batch else []
    if isinstance(burst, Ended):
        return burst
    values = scope.of_run(run, burst=burst, attempt=claim.token)
    values["vars"] = dict(definition.vars.render(values) or {})
    return Execution(
        definition=definition, scope=values, hands=RunHands(run, claim), kinds=steps.modules(),
        recorded=recorded, waits=waited, progress=dict(run.progress), careful=claim.deaths > 0)


def _burst(run: Run, *, begins: bool) -> list[Event] | Ended:
    """The burst of a run as it is now; the run is about the last message that is still there.

    A run that has begun goes on with its event, whatever was deleted since.
    """
    burst = bursts.read(run.batch, known=run.event)
    if not burst:
        return [run.event] if not begins else Ended(
            "ignored", "every message of the burst was deleted before the run began", "deleted")
    if (begins or run.replay_no) and burst[-1].pk != run.event_id:
        run.event = burst[-1]
        run.event.instance = run.instance
        if not run.replay_no:  # the event of a rerun names what was done again
            Run.objects.filter(pk=run.pk).update(event_id=run.event_id)
    return burst


def _load(run_id: int) -> Run:
    """A run with what it needs; small look-ups by key, because one wide join plans for longer."""
    revision.read()  # it may have been routed by a process that knew of a change before this one
    run = Run.objects.get(pk=run_id)
    run.version = _version(run.version_id)
    run.workflow = run.version.workflow
    run.event = Event.objects.select_related(
        "conversation__merged_into", "contact__merged_into").get(pk=run.event_id)
    run.event.take_kept()
    run.event.instance = run.instance = by_id(run.instance_id)
    return run


@lru_cache(maxsize=512)
def _version(version_id: int) -> WorkflowVersion:
    """A version never changes, and a workflow keeps its slug."""
    return WorkflowVersion.objects.select_related("workflow").get(pk=version_id)


def forget() -> None:
    """Drop the versions that were read; the next run reads its own again."""
    _version.cache_clear()
