"""Outcomes: what every step of every run came to."""

from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet


class EventActionQuerySet(ScopedQuerySet):
    def in_order(self) -> "EventActionQuerySet":
        return self.order_by("id")


class EventAction(models.Model):
    """One step and attempt of one run. Written by `events.store.outcomes` only, never edited.

    run_id: the run (registry.Run) by number; the store does not know workflows.
    path: the place in the workflow (`steps[2].branch[0].do[1]`). iteration: loop turns, "" outside.
    input: what the step was given, secrets masked. final: whether a resumed run reads this row
    instead of doing the step again.
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    event = models.ForeignKey("events.Event", on_delete=models.PROTECT, related_name="actions")
    run_id = models.BigIntegerField()
    workflow = models.CharField(max_length=64)
    path = models.CharField(max_length=255)
    iteration = models.CharField(max_length=64, default="")
    attempt = models.SmallIntegerField(default=1)
    step_id = models.CharField(max_length=64, default="")
    step_kind = models.CharField(max_length=16)
    action = models.CharField(max_length=128, default="")
    status = models.CharField(max_length=16)
    code = models.CharField(max_length=64, default="")
    reason = models.TextField(default="")
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    final = models.BooleanField(default=True)
    token = models.IntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    duration_ms = models.FloatField()

    objects = EventActionQuerySet.as_manager()

    class Meta:
        db_table = "omni_event_actions"
        ordering = ["id"]
        verbose_name = "event action"
        constraints = [models.UniqueConstraint(
            fields=["run_id", "path", "iteration", "attempt"], name="outcome_once_per_attempt")]
        indexes = [
            models.Index(fields=["instance", "-id"], name="outcome_instance_newest"),
            models.Index(fields=["workflow", "-id"], name="outcome_workflow_newest"),
            models.Index(fields=["action", "-id"], name="outcome_action_newest"),
            models.Index(fields=["status", "-id"], name="outcome_status_newest",
                         condition=~Q(status="done")),
            models.Index(fields=["status", "event"], name="outcome_status_event",
                         condition=~Q(status="done")),
        ]

    def __str__(self) -> str:
        return f"{self.path} {self.status}"
