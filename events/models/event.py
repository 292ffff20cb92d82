"""The neutral event: one row per thing that happened."""

from datetime import timedelta

from django.db import connection, models
from django.db.models import Q

from connections.access import ScopedQuerySet
from events.models.contact import Contact, Handle
from events.models.conversation import Conversation
from events.models.inbox import InboxEntry

_KINDS = """
WITH RECURSIVE kinds AS (
    (SELECT event_type FROM omni_events ORDER BY event_type LIMIT 1)
    UNION ALL
    SELECT (SELECT event_type FROM omni_events WHERE event_type > kinds.event_type
            ORDER BY event_type LIMIT 1) FROM kinds WHERE kinds.event_type IS NOT NULL)
SELECT event_type FROM kinds WHERE event_type IS NOT NULL
"""


class EventQuerySet(ScopedQuerySet):
    def from_actor_of(self, event: "Event") -> "EventQuerySet":
        """Events of who did this one, under any handle of theirs."""
        who = Q(provider_actor_ref=event.provider_actor_ref)
        if event.actor_id is not None:
            who |= Q(actor__in=Handle.objects.filter(contact__handles=event.actor_id))
        return self.filter(who, instance=event.instance_id)

    def in_conversation_of(self, event: "Event") -> "EventQuerySet":
        return self.of_conversation(event.conversation_id)

    def of_conversation(self, conversation_id: int | None) -> "EventQuerySet":
        """Events of a place, whichever of its merged rows they were stored with; asks for those."""
        if conversation_id is None:
            return self.none()
        return self.filter(conversation_id__in=Conversation.objects.group_ids([conversation_id]))

    def of_contact(self, contact_id: int) -> "EventQuerySet":
        """Events with a person, whichever of its merged rows they were stored with."""
        return self.filter(contact__in=Contact.objects.group_ids(contact_id))

    def shortly_before(self, event: "Event", *, seconds: float) -> "EventQuerySet":
        """Earlier events, at most `seconds` older; equal times are ordered by id."""
        start = event.occurred_at - timedelta(seconds=seconds)
        earlier = Q(occurred_at__lt=event.occurred_at) | Q(occurred_at=event.occurred_at,
                                                           pk__lt=event.pk)
        return self.filter(earlier, occurred_at__gte=start)

    def kinds(self) -> list[str]:
        """Every event_type that is there, each found by one look into the index."""
        with connection.cursor() as cursor:
            cursor.execute(_KINDS)
            return [row[0] for row in cursor.fetchall()]

    def unrouted(self) -> "EventQuerySet":
        return self.filter(pk__in=InboxEntry.objects.values("event_id"))

    def newest_first(self) -> "EventQuerySet":
        return self.order_by("-id")


class Event(models.Model):
    """One thing that happened, in provider-neutral words. Never edited after storing.

    The exceptions are marks about the row, not about what happened: routed_at, and what is filled
    when the thing it names is known later (target_event; of an echo caused_by, client_ref, hop,
    trace_id, auto_generated).
    """

    id = models.BigAutoField(primary_key=True)
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="events", db_index=False)
    provider = models.CharField(max_length=32)
    raw_id = models.BigIntegerField(null=True)
    raw_index = models.IntegerField(default=0)
    dedup_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=16, default="")
    event_type = models.CharField(max_length=64)
    provider_event_type = models.CharField(max_length=128, default="")
    direction = models.CharField(max_length=8, default="inbound")
    source = models.CharField(max_length=8, default="live")
    from_me = models.BooleanField(default=False)
    sender_is_bot = models.BooleanField(null=True)
    auto_generated = models.BooleanField(default=False)
    conversation = models.ForeignKey("events.Conversation", null=True, on_delete=models.PROTECT,
                                     related_name="events", db_index=False)
    conversation_ref = models.TextField(default="")
    thread_ref = models.TextField(default="")
    actor = models.ForeignKey("events.Handle", null=True, on_delete=models.SET_NULL,
                              related_name="+", db_index=False)
    provider_actor_ref = models.TextField(default="")
    sender_name = models.TextField(default="")
    contact = models.ForeignKey("events.Contact", null=True, on_delete=models.SET_NULL,
                                related_name="events", db_index=False)
    contact_handle = models.TextField(default="")
    provider_message_id = models.TextField(null=True)
    relation = models.CharField(max_length=16, default="")
    target_message_id = models.TextField(null=True)
    target_event = models.ForeignKey("self", null=True, on_delete=models.SET_NULL,
                                     related_name="+", db_index=False)
    caused_by = models.ForeignKey("self", null=True, on_delete=models.SET_NULL,
                                  related_name="+", db_index=False)
    client_ref = models.CharField(max_length=255, null=True)
    trace_id = models.UUIDField()
    text = models.TextField(null=True)
    subject = models.TextField(null=True)
    media_kind = models.CharField(max_length=16, null=True)
    is_forwarded = models.BooleanField(default=False)
    is_view_once = models.BooleanField(default=False)
    mentions_self = models.BooleanField(default=False)
    delivery_status = models.CharField(max_length=16, null=True)
    error_code = models.CharField(max_length=64, null=True)
    occurred_at = models.DateTimeField()
    occurred_at_source = models.CharField(max_length=8, default="provider")
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    provider_sequence = models.BigIntegerField(null=True)
    content = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    provider_metadata = models.JSONField(default=dict)
    schema_version = models.SmallIntegerField(default=1)
    normalizer = models.CharField(max_length=64, default="")
    state = models.CharField(max_length=12, default="stored")  # stored, not_routed
    hop = models.SmallIntegerField(default=0)  # automatic replies in the chain that led here
    routed_at = models.DateTimeField(null=True)

    objects = EventQuerySet.as_manager()
    ids_drawn_before = "created_at"  # for `omni.horizon`; events.store.ingest sets it so

    class Meta:
        db_table = "omni_events"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(
            fields=["instance", "dedup_key"], name="event_once_per_instance")]
        indexes = [
            models.Index(fields=["conversation", "-occurred_at", "-id"],
                         name="event_conversation_time"),
            models.Index(fields=["contact", "-occurred_at", "-id"], name="event_contact_time"),
            models.Index(fields=["instance", "event_type", "-occurred_at"],
                         name="event_instance_type_time"),
            models.Index(fields=["instance", "provider_message_id"], name="event_message",
                         condition=Q(provider_message_id__isnull=False)),
            models.Index(fields=["instance", "target_message_id"], name="event_target",
                         condition=Q(target_message_id__isnull=False)),
            models.Index(fields=["instance", "-id"], name="event_instance_newest"),
            models.Index(fields=["event_type", "-id"], name="event_type_newest"),
            models.Index(fields=["direction", "-id"], name="event_direction_newest"),
            models.Index(fields=["provider_actor_ref", "-id"], name="event_actor_newest",
                         condition=~Q(provider_actor_ref="")),
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.pk}"

    def take_kept(self) -> None:
        """See the place and the person as they are now: the rows that were kept of merged ones.

        For readers; the row of an event keeps what it was stored with.
        """
        place, person = self.conversation, self.contact
        if place is not None and place.merged_into_id is not None:
            self.conversation = place.merged_into
        if person is not None and person.merged_into_id is not None:
            self.contact = person.merged_into

    @property
    def sent_by_omni(self) -> bool:
        """Whether one of our own sends became this event."""
        return bool(self.client_ref)

    @property
    def place(self) -> str:
        """The ref of its conversation; the event may have come by another name of it."""
        return self.conversation.ref if self.conversation else self.conversation_ref
