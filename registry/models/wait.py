"""What runs wait for."""

from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet


class Wait(models.Model):
    """One thing a run waits for. Written by `registry.engine.waits.waits` only.

    kind: time, event, approval, call; cancel is an event that ends the run from outside.
    state: open; settled (result says with what); closed (the run went on without it).
    wake_at: when the waiting is over in any case; null means never. since_id: only events with a
    higher id count, and none of facts['before'] (ids, because clocks of machines differ).
    fields, match_hash: the equality pairs an event must have, as names and as a digest with their
    values. looked: whether the store was searched for an event that came before this row could be
    seen.
    """

    KINDS = [(name, name) for name in ("time", "event", "approval", "call", "cancel")]
    STATES = [(name, name) for name in ("open", "settled", "closed")]

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey("registry.Run", on_delete=models.CASCADE, related_name="waits",
                            db_index=False)
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    path = models.CharField(max_length=255)
    iteration = models.CharField(max_length=64, default="")
    kind = models.CharField(max_length=8, choices=KINDS)
    state = models.CharField(max_length=8, choices=STATES, default="open")
    wake_at = models.DateTimeField(null=True)
    event_types = models.JSONField(default=list)
    fields = models.CharField(max_length=255, default="")
    match_hash = models.CharField(max_length=32, default="")
    where = models.TextField(default="")
    since_id = models.BigIntegerField(default=0)
    looked = models.BooleanField(default=True)
    facts = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_waits"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "path", "iteration"],
                                               name="wait_once_per_step")]
        indexes = [
            models.Index(fields=["instance", "match_hash"], name="wait_match",
                         condition=Q(state="open", kind__in=["event", "cancel"])),
            models.Index(fields=["fields"], name="wait_fields",
                         condition=Q(state="open", kind__in=["event", "cancel"])),
            models.Index(fields=["id"], name="wait_unlooked", condition=Q(looked=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.path}"


class Approval(models.Model):
    """A question to people that holds a run up. Written by `registry.engine.waits.approvals` only.

    state: open; approved, rejected (answered_by says who, "" when the deadline did); closed (the
    run ended without it). of: `group:<name>`, `user:<name>`, `key:<name>`. show: exactly what is
    approved; edited: what the person made of it. via: where workflows carry the question.
    """

    STATES = [(name, name) for name in ("open", "approved", "rejected", "closed")]

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey("registry.Run", on_delete=models.CASCADE, related_name="approvals")
    wait = models.OneToOneField(Wait, on_delete=models.CASCADE, related_name="approval")
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    event = models.ForeignKey("events.Event", on_delete=models.PROTECT, related_name="+")
    ask = models.TextField()
    show = models.JSONField(null=True)
    of = models.JSONField(default=list)
    via = models.JSONField(default=list)
    on_timeout = models.CharField(max_length=8, default="reject")
    deadline = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=STATES, default="open")
    edited = models.JSONField(null=True)
    comment = models.TextField(default="", blank=True)
    answered_by = models.CharField(max_length=150, default="")
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_approvals"
        ordering = ["-id"]
        indexes = [models.Index(fields=["instance", "-id"], name="approval_instance_newest"),
                   models.Index(fields=["deadline"], name="approval_open",
                                condition=Q(state="open"))]

    def __str__(self) -> str:
        return f"approval {self.pk} {self.state}"
