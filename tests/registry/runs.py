"""Runs for tests: taken as far as they go, killed, and looked at."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from events.models import EventAction
from registry.engine.route import gates, records, routing
from registry.engine.run import runner
from registry.engine.waits import endings
from registry.engine.work import queue
from registry.models import Run


class Crash(BaseException):
    """The end of a worker process, as far as a test can have one."""


def forward(moment) -> None:
    """Move the database's clock to `moment`, unless it is there; the test's transaction ends it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('omni.clock_offset', (%s - statement_timestamp())::text, "
                       "true) WHERE %s > omni_now()", [moment, moment])


def advance(run):
    """Claim the run when it is due and take it as far as it goes."""
    run.refresh_from_db()
    forward(run.available_at)
    queue.wake_due()
    [claim] = queue.claim("w1", limit=1) or queue.claim("w1", limit=1, alone=True)
    runner.advance(claim)
    run.refresh_from_db()
    return run


def pass_and_store(passages) -> None:
    """Ask the gates about these matches and store what they said, as routing does."""
    queue.lock_slots(key for passage in passages for key in passage.keys)
    now = queue.now()
    gates.pass_through(passages, now=now)
    records.store([], passages, now=now, hands=None)
    gates.follow_up(passages)


def work() -> None:
    """Route and run everything that can be done now."""
    while routing.route() + queue.wake_due() + len(claims := queue.claim("w1", limit=10)):
        for claim in claims:
            runner.advance(claim)


def crash(run):
    """Advance until the worker dies, then let its lease run out."""
    with pytest.raises(Crash):
        advance(run)
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    endings.sweep()


def outcomes(run):
    return list(EventAction.objects.filter(run_id=run.pk).order_by("id").values_list(
        "path", "attempt", "status"))


def output_of(run, path, iteration=""):
    return EventAction.objects.get(run_id=run.pk, path=path, iteration=iteration,
                                   final=True).output


def lay_backwards(table) -> None:
    """Let rows lie newest first, and no index be used: order is there where it is asked for.

    The end of the test's transaction takes it back.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"CREATE INDEX backwards ON {table} ((-id))")
        cursor.execute(f"CLUSTER {table} USING backwards")
        for name in ("indexscan", "indexonlyscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{name} = off")
