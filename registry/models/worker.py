"""Worker processes: one row each, which their heartbeat renews."""

from django.db import models


class Worker(models.Model):
    """A process that has runs at work. Written by `registry.engine.work.leases` only.

    owner: what `Run.lease_owner` says. until: database clock; past it the process is taken for
    dead, and its runs are taken over. looked_at: when the one that routes last looked at everything
    there may be to do, and could do it.
    """

    owner = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "omni_workers"

    def __str__(self) -> str:
        return self.owner
