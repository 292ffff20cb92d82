"""Trials and back-tests as the web processes ask for them: done in the process for trials.

The web process stores the request, waits, and reads the result; it evaluates nothing. Without group
commit one thread does everything, as in tests and commands: then the trial is done right here.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from connections.access import Principal
from omni.errors import RateLimited, Unavailable
from omni.yaml.marks import Problem
from registry.models import TrialJob, Workflow
from registry.trials import job_work, jobs, requests, workflow_tests
from registry.trials.process import SECONDS
from registry.trials.starting import is_running, starter
from registry.trials.trial import Trial
from registry.trials.watching import Watch
from registry.trials.workflow_tests import TestResult

WAITERS = 8  # threads of one web process that may wait for trials; it has 16
START_SECONDS = 30.0  # a worker has to start the process for trials
_LOOKS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25)  # seconds between two looks at a job
_waiters = threading.BoundedSemaphore(WAITERS)


class TrialFailed(Exception):
    """A trial ended over a fault of ours; the log of its process has the facts."""


def is_here() -> bool:
    return not settings.OMNI_GROUP_COMMIT


def try_event(workflow: Workflow, text: str, example: Any, who: Principal,
              **options: Any) -> Trial | None:
    """`requests.try_event`, elsewhere. Raises what that raises, RateLimited when this caller has
    too many, and Unavailable when nobody did it in time.
    """
    if is_here():
        return requests.try_event(workflow, text, example, who, **options)
    facts = asked("trial", text, who, {**options, "event": example}, workflow.slug)
    return None if facts is None else Trial(**facts)


def run_tests(text: str, who: Principal) -> list[TestResult]:
    """`workflow_tests.run_tests`, elsewhere; raises as `try_event` does."""
    if is_here():
        return workflow_tests.run_tests(text)
    return [job_work.result_from(facts) for facts in asked("tests", text, who, {})]


def tests_for(who: Principal) -> Callable[[str], list[Problem]]:
    """`workflow_tests.problems`, elsewhere and for this caller: what publishing asks."""
    def problems(text: str) -> list[Problem]:
        if is_here():
            return workflow_tests.problems(text)
        if not workflow_tests.has_tests(text):
            return []
        return [failure for result in run_tests(text, who) for failure in result.failures]

    return problems


def ask_backtest(workflow: Workflow, text: str, who: Principal,
                 options: Mapping[str, Any]) -> int:
    """Queue a back-test; the job's id. options: those of `backtest`, `instances` as ids or None.

    Raises RateLimited when this caller has too many.
    """
    job_id = jobs.queue("backtest", job_work.request_of(who, text, options), who,
                        workflow=workflow.slug)
    if is_here():
        _do_here(job_id)
    else:
        starter.ask()
    return job_id


def await_backtest(job_id: int, *, seconds: float) -> TrialJob:
    """The job, when it is over or after so many seconds; at once when too many wait already."""
    if seconds > 0 and not is_here() and _waiters.acquire(blocking=False):
        try:
            for waited in _looks(seconds):
                if not TrialJob.objects.filter(pk=job_id, ended_at=None).exists():
                    break
                _look_after(waited)
        finally:
            _waiters.release()
    return TrialJob.objects.get(pk=job_id)


def result_of(job: TrialJob) -> Any:
    """What a job that is over came to. Raises the error it ended with."""
    if job.result is not None:
        return json.loads(job.result)
    if job.error is not None:
        raise job_work.raised(json.loads(job.error))
    if job.state == "canceled":
        raise Unavailable(job.reason)
    raise TrialFailed(job.reason)


def look_after(job: TrialJob) -> None:
    """Somebody asks how far a job is: its process may have died, or not be there yet."""
    if job.state == "running":
        jobs.settle_dead()
        job.refresh_from_db()
    if job.state == "queued" and not is_here():
        starter.ask()


def look_again() -> None:
    """What the schedule does every minute: nothing waits because a process died."""
    jobs.settle_dead()
    jobs.sweep()
    if jobs.queued():
        starter.ask()


def asked(kind: str, text: str, who: Principal, options: Mapping[str, Any],
           workflow: str = "") -> Any:
    """The result of a short job, waited for. Its row is gone afterwards, whatever came."""
    with _waiting():
        job_id = jobs.queue(kind, job_work.request_of(who, text, options), who, workflow=workflow)
        try:
            starter.ask()
            _wait_for(job_id, seconds=SECONDS[kind])
        finally:
            job = jobs.fetch(job_id)
        return result_of(job)


def _wait_for(job_id: int, *, seconds: float) -> None:
    for waited in _looks(seconds):
        job = TrialJob.objects.only("state").get(pk=job_id)
        if job.is_over:
            return
        _look_after(waited)
        if job.state == "queued" and waited > START_SECONDS and not is_running():
            jobs.cancel(job_id, reason="no process does trials: the workers start it when one is "
                        f"asked for, and did not within {START_SECONDS:g} s. Are workers running "
                        "(`manage.py omni_worker`, or `up`, which starts them)?")
            return
    jobs.cancel(job_id, reason=f"the trial was not done within {seconds:g} s and was canceled; try "
                               "again")


def _look_after(waited: float) -> None:
    """While a thread waits: the process may have died over its job, or ended before it."""
    if waited >= _LOOKS[-1]:  # before that it was just asked for
        if waited >= jobs.SILENT_SECONDS:
            jobs.settle_dead()
        starter.ask()


@contextmanager
def _waiting() -> Iterator[None]:
    """A place among the threads that may wait. Raises RateLimited when there is none."""
    if not _waiters.acquire(blocking=False):
        raise RateLimited(f"{WAITERS} requests of this web process wait for trials already; try "
                          "again", retry_after=jobs.RETRY_SECONDS)
    try:
        yield
    finally:
        _waiters.release()


def _looks(seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Seconds waited so far, before each look, until they are over. First looks come quickly."""
    began, number = clock(), 0
    while (waited := clock() - began) < seconds:
        yield waited
        time.sleep(_LOOKS[min(number // 4, len(_LOOKS) - 1)])
        number += 1


def _do_here(job_id: int) -> None:
    """One thread does everything: take the job that was just queued, and do it."""
    owner = f"here:{job_id}"
    job = jobs.take("backtest", owner, only=job_id)
    if job is None:
        return
    try:
        result = job_work.doing(job_work.KINDS, job.kind, job.workflow, job.request, Watch())
    except Exception as exc:
        jobs.cancel(job.id, reason=str(exc))
        raise
    jobs.end(owner, job, state="done", result=result)
