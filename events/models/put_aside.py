"""What a person has seen and set aside: it no longer counts as waiting for somebody."""

from django.db import models
from django.db.models import Exists, OuterRef


class PutAsideQuerySet(models.QuerySet):
    def of(self, kind: str) -> Exists:
        """Whether the row of the outer query was put aside."""
        return Exists(self.filter(kind=kind, row_id=OuterRef("pk")))


class PutAside(models.Model):
    """Written by `events.store.put_aside` only.

    kind, row_id: a dead letter (raw payload) or a run that failed. Not a foreign key: raw payloads
    are dropped by the month.
    """

    KINDS = [(name, name) for name in ("dead_letter", "run")]

    kind = models.CharField(max_length=12, choices=KINDS)
    row_id = models.BigIntegerField()
    note = models.TextField(default="", blank=True)
    actor = models.CharField(max_length=160)
    at = models.DateTimeField(auto_now_add=True)

    objects = PutAsideQuerySet.as_manager()

    class Meta:
        db_table = "omni_put_aside"
        constraints = [models.UniqueConstraint(fields=["kind", "row_id"], name="put_aside_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id}"
