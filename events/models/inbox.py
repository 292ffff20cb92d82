"""Which events are not routed yet."""

from django.db import models


class InboxEntry(models.Model):
    """One event that waits for the router. The database's triggers write these rows: one for each
    event whose `routed_at` is empty, until that is filled (migration 0019).

    No foreign keys: the row is gone within milliseconds, and nothing depends on it.
    """

    pk = models.CompositePrimaryKey("instance_id", "event_id")
    instance_id = models.BigIntegerField()
    event_id = models.BigIntegerField()

    class Meta:
        db_table = "omni_inbox"

    def __str__(self) -> str:
        return f"event {self.event_id}"
