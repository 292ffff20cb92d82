"""People: a contact joins the handles one person has at providers."""

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import connection, models
from django.db.models.functions import Coalesce

from connections.access import Principal
from connections.models import Instance


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a contact somebody may see."""

    name: str
    labels: list[str]
    attributes: dict[str, Any]


_GROUP = """
SELECT g.id FROM omni_contacts c
JOIN omni_contacts k ON k.id = coalesce(c.merged_into_id, c.id)
JOIN omni_contacts g ON g.id = k.id OR g.merged_into_id = k.id
WHERE c.id = %s ORDER BY g.id
"""


class ContactQuerySet(models.QuerySet):
    def kept(self) -> "ContactQuerySet":
        """One row per person: without those that were merged into another."""
        return self.filter(merged_into__isnull=True)

    def same_as(self, contact_id: int) -> "ContactQuerySet":
        """Every row of the person this row is one of; asks for those."""
        return self.filter(pk__in=self.group_ids(contact_id))

    def group_ids(self, contact_id: int) -> list[int]:
        """Ids of every row of the person this row is one of, the oldest first."""
        with connection.cursor() as cursor:
            cursor.execute(_GROUP, [contact_id])
            return [row[0] for row in cursor.fetchall()]

    def visible_to(self, principal: Principal) -> "ContactQuerySet":
        """People met on an instance the principal sees, also the rows merged into theirs."""
        if principal.instance_ids is None:
            return self
        return self.filter(models.Exists(
            Sighting.objects.filter(
                handle__contact=Coalesce(models.OuterRef("merged_into"), models.OuterRef("pk")),
                instance_id__in=principal.instance_ids)))


class Contact(models.Model):
    """A person of one people group. labels: words guards and workflows ask for (vip, partner).

    known_by: which instances wrote the name, the labels and the attributes (see
    `events.people.known_by`).
    name_by_hand: a person typed the name; no event replaces it.
    merged_into: the row that stands for the person; it is never merged itself. kept_apart: ids of
    rows a person said are somebody else.
    """

    people_group = models.CharField(max_length=63, default="", db_default="", blank=True,
                                    editable=False)
    name = models.TextField(default="", blank=True)
    name_by_hand = models.BooleanField(default=False, db_default=False, editable=False)
    labels = models.JSONField(default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    known_by = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL,
                                    related_name="merged_from")
    kept_apart = models.JSONField(default=list, db_default=[], blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        db_table = "omni_contacts"
        ordering = ["-id"]
        indexes = [GinIndex(fields=["labels"], name="contact_labels",
                            opclasses=["jsonb_path_ops"])]

    shown: Shown | None = None  # what somebody limited to some instances sees of it
    shown_to: Principal | None = None  # who that is

    def __str__(self) -> str:
        return (self.shown or self).name or f"contact {self.pk}"

    @property
    def handles_shown(self) -> "HandleQuerySet":
        """Its handles, of one that is shown to somebody those they may see."""
        return (self.handles.all() if self.shown_to is None
                else self.handles.all().visible_to(self.shown_to))


class HandleQuerySet(models.QuerySet):
    def met_at(self, instance: Instance) -> "HandleQuerySet":
        """Handles of the people an instance shares, seen there: not those of an earlier group."""
        return self.filter(people_group=instance.people_group, instances=instance)

    def visible_to(self, principal: Principal) -> "HandleQuerySet":
        """Handles seen on an instance the principal sees."""
        if principal.instance_ids is None:
            return self
        return self.filter(models.Exists(Sighting.objects.filter(
            handle=models.OuterRef("pk"), instance_id__in=principal.instance_ids)))


class Handle(models.Model):
    """One name of a person at a provider, unique in its people group and scope.

    linked_by: sender (in one authenticated event), person, merge. instances: where it was seen.
    merged_from: the contact it belonged to before that was merged.
    """

    people_group = models.CharField(max_length=63, default="", db_default="", blank=True)
    provider = models.CharField(max_length=32)
    scope = models.CharField(max_length=120, default="", blank=True)
    kind = models.CharField(max_length=16)
    value = models.TextField()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="handles")
    instances = models.ManyToManyField("connections.Instance", related_name="+",
                                       through="events.Sighting")
    confidence = models.FloatField(default=1.0)
    linked_by = models.CharField(max_length=16, default="sender")
    merged_from = models.ForeignKey(Contact, null=True, on_delete=models.SET_NULL,
                                    related_name="+")
    verified = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HandleQuerySet.as_manager()

    class Meta:
        db_table = "omni_handles"
        constraints = [models.UniqueConstraint(
            fields=["people_group", "provider", "scope", "kind", "value"],
            name="handle_once_per_group")]
        indexes = [models.Index(fields=["value"], name="handle_value")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Sighting(models.Model):
    """That a handle was met at an instance. name: what the person was called there at first."""

    handle = models.ForeignKey(Handle, on_delete=models.CASCADE, related_name="sightings")
    instance = models.ForeignKey("connections.Instance", on_delete=models.CASCADE,
                                 related_name="+")
    name = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "omni_handle_instances"
        unique_together = [("handle", "instance")]
