"""Files of messages. Fetching one has a life of its own (`events.store.media`)."""

from django.db import models

from connections.access import ScopedQuerySet


class AttachmentQuerySet(ScopedQuerySet):
    instance_path = "event__instance_id"


class Attachment(models.Model):
    """One file of one event, in the order of the message. state says where its bytes are."""

    STATES = [(name, name) for name in ("pending", "stored", "expired", "failed")]

    event = models.ForeignKey("events.Event", on_delete=models.CASCADE,
                              related_name="attachments")
    position = models.SmallIntegerField(default=0)
    kind = models.CharField(max_length=16)
    mime = models.TextField(null=True)
    filename = models.TextField(null=True)
    size_bytes = models.BigIntegerField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    duration_ms = models.IntegerField(null=True)
    sha256 = models.TextField(null=True)
    provider_media_id = models.TextField(null=True)
    source_url = models.TextField(null=True)
    url_expires_at = models.DateTimeField(null=True)
    auth_required = models.BooleanField(default=False)
    encryption = models.JSONField(null=True)
    caption = models.TextField(null=True)
    is_voice_note = models.BooleanField(default=False)
    is_animated = models.BooleanField(default=False)
    inline_path = models.TextField(null=True)
    state = models.CharField(max_length=8, choices=STATES, default="pending")
    storage_key = models.TextField(default="")
    error = models.TextField(default="")

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        db_table = "omni_attachments"
        ordering = ["event", "position"]
        constraints = [models.UniqueConstraint(fields=["event", "position"],
                                               name="attachment_position")]
