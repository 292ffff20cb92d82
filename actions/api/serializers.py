"""Agents and contact lists as the REST API shows and takes them."""

from collections import Counter
from typing import Any

from django.db import transaction
from rest_framework import serializers

from actions.models import Agent, ContactList, ContactListEntry
from connections import moved
from connections.models import Instance
from connections.rest.authentication import principal
from connections.rest.views import merged
from omni.api import StrictFieldsMixin

MAX_ENTRIES = 5000


class AgentSerializer(StrictFieldsMixin, serializers.ModelSerializer):
    """Who writes answers. Credentials are written and never read back; in a PATCH the keys of
    `settings` and `credentials` are merged, null removes one.
    """

    settings = serializers.DictField(required=False)
    credentials = serializers.DictField(write_only=True, required=False)
    credentials_set = serializers.SerializerMethodField(
        help_text="Names of the credentials that are set; never their values.")

    class Meta:
        model = Agent
        fields = ["slug", "name", "kind", "base_url", "settings", "credentials",
                  "credentials_set", "timeout", "enabled", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]

    def get_credentials_set(self, agent: Agent) -> list[str]:
        return sorted(name for name, value in (agent.credentials or {}).items() if value)

    def validate_slug(self, slug: str) -> str:
        if self.instance is not None and slug != self.instance.slug:
            raise serializers.ValidationError("a slug never changes: instances name it")
        return slug

    def validate_base_url(self, address: str) -> str:
        if fault := moved.address_fault(address):
            raise serializers.ValidationError(fault)
        return address

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Stored credentials are not sent to an address their owner did not see."""
        agent = self.instance
        if (agent is not None and agent.credentials and "credentials" not in data
                and data.get("base_url", agent.base_url) != agent.base_url):
            raise serializers.ValidationError(
                {"credentials": "give them again when base_url changes"})
        return data

    def update(self, agent: Agent, validated_data: dict[str, Any]) -> Agent:
        if validated_data.get("base_url", agent.base_url) != agent.base_url:
            agent.credentials = {}
        for name in ("settings", "credentials"):
            if name in validated_data:
                validated_data[name] = merged(getattr(agent, name) or {}, validated_data[name])
        return super().update(agent, validated_data)


class EntrySerializer(StrictFieldsMixin, serializers.ModelSerializer):
    """One handle or pattern; `*` may end it."""

    class Meta:
        model = ContactListEntry
        fields = ["pattern", "note"]


class VisibleInstanceField(serializers.SlugRelatedField):
    """An instance by its slug; one the caller cannot see does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="slug", queryset=Instance.objects.all(), **kwargs)

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(principal(self.context["request"]))


class ContactListSummarySerializer(StrictFieldsMixin, serializers.ModelSerializer):
    """A list without its entries. instance: null means every instance."""

    instance = VisibleInstanceField(allow_null=True, required=False, default=None)

    class Meta:
        model = ContactList
        fields = ["id", "name", "purpose", "label", "instance", "enabled"]
        validators: list[Any] = []  # one name per instance is checked below, null included

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        name = data.get("name", getattr(self.instance, "name", None))
        instance = data.get("instance", getattr(self.instance, "instance", None))
        same = ContactList.objects.filter(name=name, instance=instance)
        if self.instance is not None:
            same = same.exclude(pk=self.instance.pk)
        if same.exists():
            raise serializers.ValidationError({"name": "this instance has a list of that name"})
        return data


class ContactListSerializer(ContactListSummarySerializer):
    """A list with its entries. entries, when given, replace all of them."""

    entries = EntrySerializer(many=True, required=False, max_length=MAX_ENTRIES)

    class Meta(ContactListSummarySerializer.Meta):
        fields = [*ContactListSummarySerializer.Meta.fields, "entries"]

    def validate_entries(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        count = Counter(entry["pattern"] for entry in entries)
        twice = [name for name, times in count.items() if times > 1][:5]
        if twice:
            raise serializers.ValidationError(f"named twice: {', '.join(twice)}")
        return entries

    def create(self, validated_data: dict[str, Any]) -> ContactList:
        return self._store(ContactList(), validated_data)

    def update(self, row: ContactList, validated_data: dict[str, Any]) -> ContactList:
        return self._store(row, validated_data)

    @transaction.atomic
    def _store(self, row: ContactList, data: dict[str, Any]) -> ContactList:
        entries = data.pop("entries", None)
        for name, value in data.items():
            setattr(row, name, value)
        row.save()
        if entries is not None:
            row.entries.all().delete()
            ContactListEntry.objects.bulk_create(
                ContactListEntry(contact_list=row, **entry) for entry in entries)
        row.refresh_from_db()
        return row
