"""`manage.py omni_worker`: routes events and runs workflows until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand

from registry import tasks
from registry.engine.work import worker_cluster


class Command(BaseCommand):
    help = "Runs the workers: routing, workflows, schedules. Stops cleanly on SIGTERM and Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        tasks.schedule_all()
        cluster = worker_cluster.start()
        cluster.sentinel.join()
