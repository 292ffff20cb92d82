"""Trials and back-tests that somebody asked for: done by a process of their own."""

from django.db import models
from django.db.models import Q

from connections.access import Principal


class TrialJobQuerySet(models.QuerySet["TrialJob"]):
    def visible_to(self, who: Principal) -> "TrialJobQuerySet":
        """All for callers who see every instance; else those the caller asked for, as long as they
        still see every instance it is about.
        """
        if who.instance_ids is None:
            return self
        return self.filter(asker=asker_of(who), instance_ids__isnull=False,
                           instance_ids__contained_by=sorted(who.instance_ids))


class TrialJob(models.Model):
    """One trial, run of tests, look at what two versions match, or back-test. Written by
    `registry.trials.jobs` only.

    workflow: its slug, "" for a text that is no workflow yet. asker: `key:<id>` or `user:<id>`.
    instance_ids: what the asker saw; null means every instance. request, result, error: JSON as
    text, because a text may hold what no jsonb column takes.
    state: queued, running, done, failed (reason says why), canceled.
    owner: `<host>:<pid>` of the process that has, or had it; it says every second that it
    lives, at beat_at. attempts: how many processes began it. done, total: events.
    """

    KINDS = [(name, name) for name in ("trial", "tests", "matches", "backtest")]
    STATES = [(name, name) for name in ("queued", "running", "done", "failed", "canceled")]

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=12, choices=KINDS)
    workflow = models.CharField(max_length=64, default="")
    asker = models.CharField(max_length=64)
    instance_ids = models.JSONField(null=True)
    request = models.TextField()
    state = models.CharField(max_length=8, choices=STATES, default="queued")
    reason = models.TextField(default="")
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    result = models.TextField(null=True)
    error = models.TextField(null=True)
    owner = models.CharField(max_length=255, default="")
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = TrialJobQuerySet.as_manager()

    class Meta:
        db_table = "omni_trial_jobs"
        ordering = ["-id"]
        verbose_name = "back-test"
        indexes = [
            models.Index(fields=["id"], name="trial_job_live",
                         condition=Q(state__in=["queued", "running"])),
            models.Index(fields=["workflow", "-id"], name="trial_job_workflow"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of {self.workflow}"

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")


def asker_of(who: Principal) -> str:
    """Names of keys are not unique; ids are."""
    return f"{who.kind}:{who.id or ''}"
