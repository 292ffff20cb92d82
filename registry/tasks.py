"""What django-q2 runs for us: the drain, and small jobs on a schedule."""

import logging
from datetime import timedelta

from django.utils import timezone
from django_q.models import Failure, Schedule

from events.store import partitions
from registry.engine.work.drain import Drain, drain
from registry.engine.work.quarantine import quarantine
from registry.trials import elsewhere

__all__ = ["Drain", "drain", "keep_partitions", "look_after_trials", "quarantine", "schedule_all",
           "trim_failures"]
logger = logging.getLogger("omni.registry")
FAILURES_KEPT = 1000  # django-q2 keeps them for ever, each with its traceback


def keep_partitions() -> None:
    """Make next months' partitions of the raw archive."""
    made = partitions.ensure()
    if made:
        logger.info("Partitions made.", extra={"names": ",".join(made)})


def trim_failures() -> None:
    """Keep the newest failures of background tasks and delete the others."""
    newest = Failure.objects.order_by("-stopped", "-id").values_list("id", flat=True)
    count, _ = Failure.objects.exclude(id__in=list(newest[:FAILURES_KEPT])).delete()
    if count:
        logger.info("Old failures of tasks deleted.", extra={"failures": count})


def look_after_trials() -> None:
    """Trials whose process died begin again or end, and old results are deleted."""
    elsewhere.look_again()


def schedule_all() -> None:
    """Put our recurring jobs into django-q2's schedule; safe to call again."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    for name, job, schedule_type, first in (
            ("omni: partitions of the raw archive", keep_partitions, Schedule.DAILY, hour),
            ("omni: old failures of tasks", trim_failures, Schedule.HOURLY, hour),
            ("omni: trials that wait", look_after_trials, Schedule.MINUTES, minute)):
        Schedule.objects.update_or_create(name=name, defaults={
            "func": f"{job.__module__}.{job.__name__}", "schedule_type": schedule_type,
            "repeats": -1, "next_run": timezone.now() + first})
