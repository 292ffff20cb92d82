"""Contact lists: who is allowed, blocked or treated in a way of their own."""

from django.db import models
from django.db.models import Q


class ContactListQuerySet(models.QuerySet):
    def in_force_at(self, instance_id: int) -> "ContactListQuerySet":
        """The lists of one instance and the global ones."""
        return self.filter(Q(instance_id=instance_id) | Q(instance__isnull=True), enabled=True)


class ContactList(models.Model):
    """A named list of handles. purpose: allow and block are the access rules; label marks people.

    label: what `guard.contact_override` and `contact.lists` call the people on it.
    """

    PURPOSES = [(name, name) for name in ("allow", "block", "label")]

    name = models.SlugField(max_length=63)
    purpose = models.CharField(max_length=8, choices=PURPOSES, default="label")
    label = models.CharField(max_length=63, blank=True, default="")
    instance = models.ForeignKey("connections.Instance", null=True, blank=True,
                                 on_delete=models.CASCADE, related_name="contact_lists",
                                 help_text="Empty: every instance.")
    enabled = models.BooleanField(default=True)

    objects = ContactListQuerySet.as_manager()

    class Meta:
        db_table = "omni_contact_lists"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["name", "instance"],
                                               name="contact_list_name", nulls_distinct=False)]

    def __str__(self) -> str:
        return self.name


class ContactListEntry(models.Model):
    """One handle or pattern: a phone with or without +, a JID, an address; `*` may end it."""

    contact_list = models.ForeignKey(ContactList, on_delete=models.CASCADE,
                                     related_name="entries")
    pattern = models.CharField(max_length=190)
    note = models.CharField(max_length=190, blank=True, default="")

    class Meta:
        db_table = "omni_contact_list_entries"
        verbose_name_plural = "contact list entries"
        constraints = [models.UniqueConstraint(fields=["contact_list", "pattern"],
                                               name="entry_once_per_list")]

    def __str__(self) -> str:
        return self.pattern
