"""Runs: rows and queue at the same time."""

from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet

LIVE = ("queued", "running", "waiting")
ENDED = ("done", "ignored", "failed", "dead", "canceled")


class RunQuerySet(ScopedQuerySet):
    def live(self) -> "RunQuerySet":
        return self.filter(state__in=LIVE)

    def ended(self) -> "RunQuerySet":
        return self.filter(state__in=ENDED)


class Run(models.Model):
    """One workflow version at work on one event. Written by `registry.queue` and `runner` only.

    state: queued, running, waiting; done, ignored, failed, dead, canceled. reason: why it ended.
    token: grows with every claim; a write with an older one is refused. lease_until: database
    clock; past it the run is taken over. deaths: workers that died in the same step in a row.
    ordering_key: runs with the same key go one after the other, in the order of their events.
    """

    STATES = [(name, name) for name in (*LIVE, *ENDED)]

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="runs", db_index=False)
    event = models.ForeignKey("events.Event", on_delete=models.PROTECT, related_name="runs")
    workflow = models.ForeignKey("registry.Workflow", on_delete=models.PROTECT,
                                 related_name="runs", db_index=False)
    version = models.ForeignKey("registry.WorkflowVersion", on_delete=models.PROTECT,
                                related_name="+", db_index=False)
    replay_no = models.IntegerField(default=0)
    inputs = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=STATES, default="queued")
    reason = models.TextField(default="")
    code = models.CharField(max_length=64, default="")
    priority = models.SmallIntegerField(default=500)
    ordering_key = models.CharField(max_length=190, null=True)
    available_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=64, default="")
    lease_until = models.DateTimeField(null=True)
    token = models.IntegerField(default=0)
    deaths = models.SmallIntegerField(default=0)
    step_path = models.CharField(max_length=255, default="")
    allow_effects = models.BooleanField(default=True)
    deadline = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        db_table = "omni_runs"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "workflow", "replay_no"],
                                    name="run_once_per_event"),
            models.UniqueConstraint(fields=["ordering_key"], name="one_running_per_key",
                                    condition=Q(state="running")),
        ]
        indexes = [
            models.Index(fields=["available_at"], name="run_queued",
                         condition=Q(state="queued")),
            models.Index(fields=["lease_until"], name="run_leased",
                         condition=Q(state="running")),
            models.Index(fields=["ordering_key", "id"], name="run_order",
                         condition=Q(state__in=["queued", "running"])),
            models.Index(fields=["instance", "-id"], name="run_instance_newest"),
            models.Index(fields=["workflow", "-id"], name="run_workflow_newest"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} {self.state}"
