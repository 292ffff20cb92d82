"""Memories: what agents and workflows want kept about people."""

from django.db import models
from django.db.models import Q

from connections.access import ScopedQuerySet
from events.models import Contact, Conversation


class MemoryQuerySet(ScopedQuerySet):
    def about(self, contact: Contact | None, conversation: Conversation | None) -> "MemoryQuerySet":
        """What is kept about a person; where there is no person, about the conversation."""
        if contact is not None:
            return self.filter(Q(contact=contact) | Q(contact__merged_into=contact))
        if conversation is None:
            return self.none()
        return self.filter(Q(conversation=conversation) | Q(conversation__merged_into=conversation),
                           contact=None)


class Memory(models.Model):
    """One thing to remember. Written by `persist.memory.update` only, never edited.

    event: the one it was learned from. effect_key: the step that kept it, so it is kept once.
    """

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    contact = models.ForeignKey("events.Contact", null=True, on_delete=models.CASCADE,
                                related_name="memories")
    conversation = models.ForeignKey("events.Conversation", null=True, on_delete=models.SET_NULL,
                                     related_name="+")
    text = models.TextField()
    event = models.ForeignKey("events.Event", null=True, on_delete=models.SET_NULL,
                              related_name="+")
    run_id = models.BigIntegerField(null=True)
    effect_key = models.CharField(max_length=255, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MemoryQuerySet.as_manager()

    class Meta:
        db_table = "omni_memories"
        ordering = ["-id"]
        verbose_name_plural = "memories"
        indexes = [models.Index(fields=["instance", "-id"], name="memory_instance_newest")]

    def __str__(self) -> str:
        return self.text[:80]
