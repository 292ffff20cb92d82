"""Runs: rows and queue at the same time."""

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Func, Value

from connections.access import ScopedQuerySet
from events.models.put_aside import PutAside

LIVE = ("queued", "blocked", "running", "waiting")
FAILED = ("failed", "dead")
ENDED = ("done", "ignored", "failed", "dead", "canceled")


class RunQuerySet(ScopedQuerySet):
    def live(self) -> "RunQuerySet":
        return self.filter(state__in=LIVE)

    def failures(self) -> "RunQuerySet":
        """Runs that failed or died and that nobody has put aside."""
        return self.filter(state__in=FAILED).filter(~PutAside.objects.of("run"))

    def put_aside(self) -> "RunQuerySet":
        return self.filter(state__in=FAILED).filter(PutAside.objects.of("run"))

    def ended(self) -> "RunQuerySet":
        return self.filter(state__in=ENDED)


class Run(models.Model):
    """One workflow version at work on one event. Written by `registry.engine` only.

    state: queued, blocked, running, waiting; done, ignored, failed, dead, canceled. reason: why it
    ended. token: grows with every claim; a write with an older one is refused. lease_owner: the
    worker (`Worker`) that has it; when that is gone and lease_until (database clock) has passed,
    the run is taken over. deaths: workers that died in the same step in a row.
    errors: walks in a row that broke off by a fault of our own or of the data.

    slot_key, slot_limit: at most so many runs of one key are queued or at work, the others are
    blocked, in the order of their tickets; the database's own triggers keep that line. A run that
    waits gives its place back and draws a new ticket when it wakes. Runs of a paused workflow are
    blocked, too.
    once_key, burst_key, throttle_key: what its gates counted it under; throttle_at: the moment it
    counts for. batch: ids of the events of its burst; burst_until: when the burst must end.

    parent, parent_path, parent_iteration: the step that called it. depth: calls above it.
    output: `vars` at the end, which a caller reads. progress: how far its loops are, so that
    finished turns are not read again: {path: {next, failed, vars, before}}.
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
    slot_key = models.CharField(max_length=190, null=True)
    slot_limit = models.SmallIntegerField(default=1)
    ticket = models.BigIntegerField(db_default=Func(
        Value("omni_run_tickets"), function="nextval", output_field=models.BigIntegerField()))
    once_key = models.CharField(max_length=190, null=True)
    burst_key = models.CharField(max_length=190, null=True)
    burst_until = models.DateTimeField(null=True)
    batch = models.JSONField(default=list)
    throttle_key = models.CharField(max_length=190, null=True)
    throttle_at = models.DateTimeField(null=True)
    available_at = models.DateTimeField()
    lease_owner = models.CharField(max_length=64, default="")
    lease_until = models.DateTimeField(null=True)
    token = models.IntegerField(default=0)
    deaths = models.SmallIntegerField(default=0)
    errors = models.SmallIntegerField(default=0, db_default=0)
    step_path = models.CharField(max_length=255, default="")
    deadline = models.DateTimeField(null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT,
                               related_name="children", db_index=False)
    parent_path = models.CharField(max_length=255, default="")
    parent_iteration = models.CharField(max_length=64, default="")
    depth = models.SmallIntegerField(default=0)
    rerun_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT,
                                 related_name="reruns", db_index=False)
    output = models.JSONField(null=True)
    progress = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        db_table = "omni_runs"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "workflow", "replay_no"],
                                    name="run_once_per_event", condition=Q(parent=None)),
            models.UniqueConstraint(fields=["parent", "parent_path", "parent_iteration"],
                                    name="run_once_per_call", condition=Q(parent__isnull=False)),
            models.UniqueConstraint(fields=["slot_key"], name="one_running_per_slot",
                                    condition=Q(state="running", slot_limit=1)),
        ]
        indexes = [
            models.Index(fields=["instance", "priority", "available_at"], name="run_ready",
                         condition=Q(state="queued", deaths__lt=2)),
            models.Index(fields=["available_at"], name="run_suspect",
                         condition=Q(state="queued", deaths__gte=2)),
            models.Index(fields=["workflow", "slot_key"], name="run_blocked",
                         condition=Q(state="blocked")),
            models.Index(fields=["available_at"], name="run_waiting",
                         condition=Q(state="waiting")),
            models.Index(fields=["lease_until"], name="run_leased",
                         condition=Q(state="running")),
            models.Index(fields=["slot_key", "state", "ticket"], name="run_line",
                         condition=Q(state__in=LIVE, slot_key__isnull=False)),
            models.Index(fields=["once_key", "-created_at"], name="run_once",
                         condition=Q(once_key__isnull=False)),
            models.Index(fields=["burst_key"], name="run_burst",
                         condition=Q(state="waiting", started_at=None,
                                     burst_key__isnull=False)),
            models.Index(fields=["throttle_key", "-throttle_at"], name="run_throttle",
                         condition=Q(throttle_key__isnull=False)),
            models.Index(fields=["id"], name="run_failed", condition=Q(state__in=FAILED)),
            models.Index(fields=["instance", "-id"], name="run_instance_newest"),
            models.Index(fields=["workflow", "-id"], name="run_workflow_newest"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} {self.state}"
