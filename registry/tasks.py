"""What django-q2 runs for us: the drain, and small jobs on a schedule."""

import logging
from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule

from events import partitions
from registry.drain import Drain, drain

__all__ = ["Drain", "drain", "keep_partitions", "schedule_all"]
logger = logging.getLogger("omni.registry")


def keep_partitions() -> None:
    """Make next months' partitions of the raw archive."""
    made = partitions.ensure()
    if made:
        logger.info("Partitions made.", extra={"names": ",".join(made)})


def schedule_all() -> None:
    """Put our recurring jobs into django-q2's schedule; safe to call again."""
    Schedule.objects.update_or_create(
        name="omni: partitions of the raw archive", defaults={
            "func": f"{keep_partitions.__module__}.{keep_partitions.__name__}",
            "schedule_type": Schedule.DAILY, "repeats": -1,
            "next_run": timezone.now() + timedelta(hours=1)})
