"""People: a contact joins the handles one person has at providers."""

from django.db import models
from django.db.models.functions import Coalesce

from connections.access import Principal


class ContactQuerySet(models.QuerySet):
    def kept(self) -> "ContactQuerySet":
        """One row per person: without those that were merged into another."""
        return self.filter(merged_into__isnull=True)

    def same_as(self, contact_id: int) -> "ContactQuerySet":
        """Every row of the person this row is one of."""
        kept = Contact.objects.filter(pk=contact_id).values(
            kept=Coalesce("merged_into_id", "pk"))
        return self.filter(models.Q(pk__in=kept) | models.Q(merged_into__in=kept))

    def visible_to(self, principal: Principal) -> "ContactQuerySet":
        """People met on an instance the principal sees, also the rows merged into theirs."""
        if principal.instance_ids is None:
            return self
        return self.filter(models.Exists(
            Handle.instances.through.objects.filter(
                handle__contact=Coalesce(models.OuterRef("merged_into"), models.OuterRef("pk")),
                instance_id__in=principal.instance_ids)))


class Contact(models.Model):
    """A person. labels: words guards and workflows ask for (vip, partner).

    name_by_hand: a person typed the name; no event replaces it.
    merged_into: the row that stands for the person; it is never merged itself. kept_apart: ids of
    rows a person said are somebody else.
    """

    name = models.TextField(default="", blank=True)
    name_by_hand = models.BooleanField(default=False, db_default=False, editable=False)
    labels = models.JSONField(default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL,
                                    related_name="merged_from")
    kept_apart = models.JSONField(default=list, db_default=[], blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        db_table = "omni_contacts"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name or f"contact {self.pk}"


class Handle(models.Model):
    """One name of a person at a provider, unique in its scope.

    linked_by: sender (in one authenticated event), person, merge. instances: where it was seen.
    merged_from: the contact it belonged to before that was merged.
    """

    provider = models.CharField(max_length=32)
    scope = models.CharField(max_length=120, default="", blank=True)
    kind = models.CharField(max_length=16)
    value = models.TextField()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="handles")
    instances = models.ManyToManyField("connections.Instance", related_name="+",
                                       db_table="omni_handle_instances")
    confidence = models.FloatField(default=1.0)
    linked_by = models.CharField(max_length=16, default="sender")
    merged_from = models.ForeignKey(Contact, null=True, on_delete=models.SET_NULL,
                                    related_name="+")
    verified = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "omni_handles"
        constraints = [models.UniqueConstraint(fields=["provider", "scope", "kind", "value"],
                                               name="handle_once_per_scope")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"
