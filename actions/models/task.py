"""Tasks: what a workflow hands to people."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet


class TaskQuerySet(ScopedQuerySet):
    def open(self) -> "TaskQuerySet":
        return self.filter(state="open")


class Task(models.Model):
    """Something a person is to do. Written by `actions.tasks` only.

    kind: what made it (escalation). queue: whose it is, in one word. effect_key: the step that
    made it, so it is made once. closed_by: a name of the audit log (user:ana, key:desk).
    """

    STATES = [(name, name) for name in ("open", "done", "canceled")]
    PRIORITIES = [(name, name) for name in ("low", "normal", "high", "urgent")]

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    kind = models.CharField(max_length=32)
    queue = models.CharField(max_length=63)
    title = models.CharField(max_length=120)
    note = models.TextField(default="", blank=True)
    priority = models.CharField(max_length=8, choices=PRIORITIES, default="normal")
    state = models.CharField(max_length=8, choices=STATES, default="open")
    event = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                              related_name="+")
    conversation = models.ForeignKey("events.Conversation", null=True, on_delete=models.SET_NULL,
                                     related_name="+")
    contact = models.ForeignKey("events.Contact", null=True, on_delete=models.SET_NULL,
                                related_name="+")
    run_id = models.BigIntegerField(null=True)
    effect_key = models.CharField(max_length=255, unique=True)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True,
                                 on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=190, default="")

    objects = TaskQuerySet.as_manager()

    class Meta:
        db_table = "omni_tasks"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["instance", "-id"], name="task_instance_newest"),
            models.Index(fields=["queue", "-id"], name="task_open_by_queue",
                         condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.queue}: {self.title}"
