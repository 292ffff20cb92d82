"""What a message looks like now. Derived from events: may be dropped and rebuilt at any time."""

from django.db import models

from connections.access import ScopedQuerySet
from events.models.event import Event


class MessageState(models.Model):
    """The current face of one message. Written by `events.store.state` only.

    A row may exist before its message arrives (a receipt came first): introduced_by is null then.
    """

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+")
    provider_message_id = models.TextField()
    introduced_by = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                                      related_name="+")
    text = models.TextField(null=True)
    edit_count = models.IntegerField(default=0)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    pinned = models.BooleanField(default=False)
    delivery_status = models.CharField(max_length=16, null=True)
    error_code = models.CharField(max_length=64, null=True)
    reactions = models.JSONField(default=dict)  # {emoji: [actor refs]}
    tally = models.JSONField(default=dict)  # {option: [actor refs]}
    last_event = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                                   related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScopedQuerySet.as_manager()

    def is_text_hidden(self) -> bool:
        """Whether `text` is older than the last edit, because that came encrypted. One query."""
        if not self.edit_count:
            return False
        last = Event.objects.filter(
            instance_id=self.instance_id, target_message_id=self.provider_message_id,
            event_type="message.edited").order_by("-occurred_at", "-id").only("content").first()
        return bool(last and (last.content or {}).get("text_hidden"))

    class Meta:
        db_table = "omni_message_state"
        constraints = [models.UniqueConstraint(fields=["instance", "provider_message_id"],
                                               name="state_once_per_message")]
