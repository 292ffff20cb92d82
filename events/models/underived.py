"""Events whose derived rows are not up to date yet."""

from django.db import models


class Underived(models.Model):
    """An event that could not be derived, or is not yet, and why. Written by `events.store.derive`.

    The row goes when a new try succeeds; the table is empty as a rule.
    """

    event = models.OneToOneField("events.Event", primary_key=True, on_delete=models.CASCADE,
                                 related_name="underived")
    error = models.TextField()
    tries = models.IntegerField(default=1)
    next_try = models.DateTimeField()
    since = models.DateTimeField()

    class Meta:
        db_table = "omni_underived"

    def __str__(self) -> str:
        return f"event {self.event_id}: {self.error}"
