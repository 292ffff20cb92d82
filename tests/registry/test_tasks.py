"""The small jobs on a schedule."""

from datetime import UTC, datetime, timedelta

import pytest
from django_q.models import Failure, Schedule, Task

from registry import tasks

pytestmark = pytest.mark.django_db


def test_old_failures_of_tasks_are_deleted_and_the_newest_kept(monkeypatch):
    monkeypatch.setattr(tasks, "FAILURES_KEPT", 2)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in (3, 1, 4, 2):
        stopped = start + timedelta(days=day)
        Task.objects.create(id=str(day), name=str(day), func="f", success=False,
                            started=stopped, stopped=stopped)
    Task.objects.create(id="fine", name="fine", func="f", success=True, started=start,
                        stopped=start)

    tasks.trim_failures()

    assert set(Task.objects.values_list("id", flat=True)) == {"4", "3", "fine"}
    assert Failure.objects.count() == 2


def test_every_job_is_scheduled_once_however_often_workers_start():
    tasks.schedule_all()
    tasks.schedule_all()

    assert sorted(Schedule.objects.values_list("func", flat=True)) == [
        "registry.tasks.keep_partitions", "registry.tasks.look_after_trials",
        "registry.tasks.trim_failures"]
