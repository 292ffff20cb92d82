"""The append-only log of what people and programs change or approve.

A trigger in the database refuses UPDATE and DELETE (migration 0002); each row carries the hash of
the one before, so that a gap is noticed.
"""

import hashlib
import json
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

_LOCK = 7_311_942  # advisory lock: one writer at a time keeps the chain a chain


class AuditEntry(models.Model):
    """One act: who, what, on which thing, with the facts before and after, never with secrets."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=190)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=190, blank=True)
    facts = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        app_label = "omni"
        db_table = "omni_audit_log"
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"


def note(actor: str, action: str, target: str = "", **facts: Any) -> AuditEntry:
    """Append one act. action: verb.noun in past tense (`workflow.published`)."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEntry.objects.order_by("-id").values_list("hash", flat=True).first() or ""
        at = timezone.now()
        said = json.dumps([last, at.isoformat(), actor, action, target, facts], sort_keys=True,
                          default=str)
        return AuditEntry.objects.create(
            at=at, actor=actor[:190], action=action, target=target[:190], facts=facts,
            previous_hash=last, hash=hashlib.sha256(said.encode()).hexdigest())
