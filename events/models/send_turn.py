"""Sends that were put off by the limiter, each with the moment it was given."""

from django.db import models


class SendTurn(models.Model):
    """One send that waits for its turn. Written by the function `omni_may_send` only.

    effect_key: of the send. recipient: whose limit it waits for, null: that of the account. at: the
    moment it was given; nobody who comes later goes before it.
    """

    effect_key = models.CharField(max_length=255, primary_key=True)
    instance_id = models.BigIntegerField()
    recipient = models.TextField(null=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "omni_send_turns"
        indexes = [models.Index(fields=["instance_id", "recipient", "-at"], name="turn_newest")]

    def __str__(self) -> str:
        return f"{self.effect_key} at {self.at:%H:%M:%S}"
