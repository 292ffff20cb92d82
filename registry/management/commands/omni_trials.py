"""`manage.py omni_trials`: does trials and back-tests; workers start it when somebody asks."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from registry.trials import job_work
from registry.trials.process import IDLE_SECONDS, TrialsProcess
from registry.versions import match_job

NICE = 5  # the front door and runs go first


class Command(BaseCommand):
    help = "Does trials, tests of workflows and back-tests, and ends when nobody asks for long."
    requires_system_checks: list[str] = []  # who started it was checked

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cluster", type=int, default=0, metavar="PID",
                            help="end with this process; none: only when idle")
        parser.add_argument("--database", default="", help="another name of the database")
        parser.add_argument("--idle", type=float, default=IDLE_SECONDS, metavar="SECONDS",
                            help="end when nobody asked for so long")

    def handle(self, *, cluster: int, database: str, idle: float, **options: Any) -> None:
        os.nice(NICE)
        if database:
            connection.settings_dict["NAME"] = database
        TrialsProcess(kinds={**job_work.KINDS, "matches": match_job.do}, cluster=cluster,
                      idle_seconds=idle).run()
        os._exit(0)  # a step that hangs is no reason to stay
