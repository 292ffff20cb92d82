"""Where events happen: one row per place, with the other names that place has had."""

from collections.abc import Iterable, Sequence

from django.db import connection, models
from django.db.models import Q

from connections.access import ScopedQuerySet

_GROUP = """
SELECT g.id FROM omni_conversations c
JOIN omni_conversations k ON k.id = coalesce(c.merged_into_id, c.id)
JOIN omni_conversations g ON g.id = k.id OR g.merged_into_id = k.id
WHERE c.id = ANY(%s::bigint[]) GROUP BY g.id ORDER BY g.id
"""


class ConversationQuerySet(ScopedQuerySet):
    def kept(self) -> "ConversationQuerySet":
        """One row per place: without those that were merged into another."""
        return self.filter(merged_into__isnull=True)

    def named(self, ref: str) -> "ConversationQuerySet":
        """Rows that have this ref, or had it before a merge or as an alias; asks for aliases."""
        aliases = ConversationAlias.objects.filter(ref=ref)
        return self.filter(Q(ref=ref) | Q(pk__in=list(aliases.values_list(
            "conversation_id", flat=True))))

    def group_ids(self, ids: Iterable[int]) -> list[int]:
        """Ids of every row that is the same place as one of these, the oldest first."""
        with connection.cursor() as cursor:
            cursor.execute(_GROUP, [list(ids)])
            return [row[0] for row in cursor.fetchall()]


class Conversation(models.Model):
    """A chat, group, channel or ticket of one instance. ref: the native address to answer at.

    merged_into: the older row of the same place (two addresses of one person met apart); it is
    never merged itself. kept_apart: ids of rows a person said are not the same place.
    """

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="conversations", db_index=False)
    ref = models.TextField()
    kind = models.CharField(max_length=16, default="")
    title = models.TextField(default="", blank=True)
    tags = models.JSONField(default=list, blank=True)
    contact = models.ForeignKey("events.Contact", null=True, blank=True,
                                on_delete=models.SET_NULL, related_name="conversations")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL)
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL,
                                    related_name="merged_from")
    kept_apart = models.JSONField(default=list, db_default=[], blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        db_table = "omni_conversations"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["instance", "ref"],
                                               name="conversation_once_per_instance")]
        indexes = [models.Index(fields=["instance", "-id"], name="conversation_instance_newest"),
                   models.Index(fields=["kind", "-id"], name="conversation_kind_newest"),
                   models.Index(fields=["ref"], name="conversation_ref")]

    def __str__(self) -> str:
        return self.title or self.ref

    former_ids: Sequence[int] = ()  # rows merged into this one, where a reader asked for them

    @property
    def kept_id(self) -> int:
        """The id of the row that stands for the place."""
        return self.merged_into_id or self.pk


class ConversationAlias(models.Model):
    """Another ref of a conversation (phone and LID, a migrated group): it leads to the same row.

    merged_from: the row it led to before that was merged, so that a split gives it back.
    is_guess: no event named it with another name of the conversation (`events.people.guesses`).
    """

    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+")
    ref = models.TextField()
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE,
                                     related_name="aliases")
    merged_from = models.ForeignKey(Conversation, null=True, on_delete=models.CASCADE,
                                    related_name="+")
    is_guess = models.BooleanField(default=False, db_default=False, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_conversation_aliases"
        constraints = [models.UniqueConstraint(fields=["instance", "ref"],
                                               name="alias_once_per_instance")]
        indexes = [models.Index(fields=["ref"], name="alias_ref")]
