"""Where events happen: one row per place, with the other names that place has had."""

from django.db import models

from connections.access import ScopedQuerySet


class ConversationQuerySet(ScopedQuerySet):
    pass


class Conversation(models.Model):
    """A chat, group, channel or ticket of one instance. ref: the native address to answer at."""

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="conversations")
    ref = models.TextField()
    kind = models.CharField(max_length=16, default="")
    title = models.TextField(default="", blank=True)
    tags = models.JSONField(default=list, blank=True)
    contact = models.ForeignKey("events.Contact", null=True, blank=True,
                                on_delete=models.SET_NULL, related_name="conversations")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        db_table = "omni_conversations"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["instance", "ref"],
                                               name="conversation_once_per_instance")]

    def __str__(self) -> str:
        return self.title or self.ref


class ConversationAlias(models.Model):
    """Another ref of a conversation (phone and LID, a migrated group): it leads to the same row."""

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+")
    ref = models.TextField()
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE,
                                     related_name="aliases")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_conversation_aliases"
        constraints = [models.UniqueConstraint(fields=["instance", "ref"],
                                               name="alias_once_per_instance")]
