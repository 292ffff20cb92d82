"""The archive of exact bodies, partitioned by the month they arrived."""

from django.db import models

from connections.access import ScopedQuerySet
from events.models.put_aside import PutAside


class RawQuerySet(ScopedQuerySet):
    def dead_letters(self) -> "RawQuerySet":
        """Bodies that were authentic and became no event, with the reason."""
        return self.exclude(quarantine_reason="")

    def open_dead_letters(self) -> "RawQuerySet":
        """Those nobody has put aside."""
        return self.dead_letters().filter(~PutAside.objects.of("dead_letter"))

    def put_aside(self) -> "RawQuerySet":
        return self.dead_letters().filter(PutAside.objects.of("dead_letter"))


class RawPayload(models.Model):
    """One delivery as it arrived; never edited. Written by `events.store.archive` only.

    body: the exact bytes, except where `redacted` says that credential fields were blanked;
    sha256 is of what arrived. headers: an allow-list. deliveries: how often the same bytes came.
    The table is partitioned by received_at, so its rows are made by SQL (migration 0002).
    """

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField()
    instance = models.ForeignKey("connections.Instance", on_delete=models.DO_NOTHING,
                                 db_constraint=False, related_name="+")
    provider = models.CharField(max_length=32)
    method = models.CharField(max_length=8, default="POST")
    path = models.TextField(default="")
    query = models.TextField(default="")
    headers = models.JSONField(default=dict)
    content_type = models.TextField(default="")
    body = models.BinaryField()
    size_bytes = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    redacted = models.BooleanField(default=False)
    flags = models.JSONField(default=list)
    transport = models.CharField(max_length=16, default="http")
    verified_by = models.TextField(default="")
    deliveries = models.IntegerField(default=1)
    last_seen_at = models.DateTimeField()
    event_count = models.IntegerField(default=0)
    quarantine_reason = models.CharField(max_length=64, default="")
    quarantine_detail = models.TextField(default="")

    objects = RawQuerySet.as_manager()

    class Meta:
        db_table = "omni_raw_payloads"
        managed = False
        ordering = ["-id"]
        verbose_name = "raw payload"

    def __str__(self) -> str:
        return f"raw {self.pk}"


class Knock(models.Model):
    """A refused delivery, counted per hour; its body is not kept.

    reason: unknown_address, signature_mismatch, too_large.
    """

    hour = models.DateTimeField()
    address = models.CharField(max_length=160)
    reason = models.CharField(max_length=32)
    count = models.IntegerField(default=0)
    last_at = models.DateTimeField()
    sample_headers = models.JSONField(default=dict)
    detail = models.TextField(default="")

    class Meta:
        db_table = "omni_knocks"
        ordering = ["-hour"]
        constraints = [models.UniqueConstraint(fields=["hour", "address", "reason"],
                                               name="knock_once_per_hour")]
