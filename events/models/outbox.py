"""Everything that goes out, with its outcome: at most one send per effect key."""

from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet


class OutboxQuerySet(ScopedQuerySet):
    def unresolved(self) -> "OutboxQuerySet":
        """Sends that may have happened and wait for an echo or a person."""
        return self.filter(state="unknown", resolution="")


class OutboxMessage(models.Model):
    """One outward act. Written by `events.outbox.attempts`; `events.outbox.echoes` settles it by
    its echo, `events.outbox.settling` by a person's word, and `events.outbox.interrupted` gives it
    up.

    effect_key: names the act; unique, stable over attempts, also the client reference.
    state: pending, sending, succeeded, rejected, not_sent, unknown. resolution: how an unknown
    one was settled (echo, person_sent, person_not_sent, or again: a person sent it once more, and
    what became of the first stays unknown); echo also where a sent one without an id was seen by
    its echo. request_hash: sha256 of the request.
    """

    STATES = [(name, name) for name in (
        "pending", "sending", "succeeded", "rejected", "not_sent", "unknown")]

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="outbox", db_index=False)
    conversation = models.ForeignKey("events.Conversation", null=True, db_index=False,
                                     on_delete=models.SET_NULL, related_name="+")
    effect_key = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=16)
    recipient = models.TextField(default="")
    request = models.JSONField(default=dict)
    request_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=STATES, default="pending")
    attempts = models.SmallIntegerField(default=0)
    token = models.CharField(max_length=32, default="")  # who is sending; a foreign one is lost
    run_id = models.BigIntegerField(null=True)
    caused_by = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                                  related_name="+", db_index=False)
    event = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                              related_name="+", db_index=False)
    provider_message_id = models.TextField(null=True)
    error = models.TextField(default="")
    error_code = models.CharField(max_length=64, default="")
    answer = models.JSONField(default=dict)
    resolution = models.CharField(max_length=16, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "omni_outbox"
        ordering = ["-id"]
        verbose_name = "outbox message"
        indexes = [
            models.Index(fields=["instance", "provider_message_id"], name="outbox_message",
                         condition=Q(provider_message_id__isnull=False)),
            models.Index(fields=["id"], name="outbox_open",
                         condition=Q(state__in=["sending", "unknown"])),
            models.Index(fields=["run_id"], name="outbox_run"),
            models.Index(fields=["instance", "-id"], name="outbox_instance_newest"),
            models.Index(fields=["state", "-id"], name="outbox_state_newest",
                         condition=~Q(state="succeeded")),
            models.Index(fields=["kind", "-id"], name="outbox_kind_newest"),
            models.Index(fields=["created_at"], name="outbox_created"),
            models.Index(fields=["instance"], name="outbox_sending",
                         condition=Q(state="sending")),
            models.Index(fields=["conversation", "-started_at"], name="outbox_conversation"),
            models.Index(fields=["instance", "recipient", "-started_at"], name="outbox_recipient"),
            models.Index(fields=["instance", "-started_at"], name="outbox_account",
                         condition=Q(run_id__isnull=False)),
        ]
        constraints = [models.UniqueConstraint(
            fields=["event"], name="outbox_echo_once", condition=Q(resolution="echo"))]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}: {self.state}"
