"""Instances as the REST API shows and takes them."""

from typing import Any

from rest_framework import serializers

from connections import library, moved
from connections.models import SLUG, Instance
from connections.rest.views import merged
from connections.webhooks import webhook_url
from omni.api import StrictFieldsMixin
from omni.errors import UnknownProvider

LABELS = {"max_length": 50, "required": False}


class InstanceSerializer(StrictFieldsMixin, serializers.ModelSerializer):
    """One configured account. Credentials are written and never read back.

    In a PATCH the keys of `settings` and `credentials` are merged into what is stored; null
    removes a key.
    """

    slug = serializers.RegexField(SLUG, max_length=63)
    settings = serializers.DictField(required=False)
    credentials = serializers.DictField(write_only=True, required=False)
    credentials_set = serializers.SerializerMethodField(
        help_text="Names of the credentials that are set; never their values.")
    labels = serializers.ListField(child=serializers.CharField(max_length=63), **LABELS)
    webhook_url = serializers.SerializerMethodField()

    class Meta:
        model = Instance
        fields = ["slug", "name", "provider", "enabled", "settings", "credentials",
                  "credentials_set", "labels", "agent", "people_group", "webhook_url",
                  "archived_at", "created_at", "updated_at"]
        read_only_fields = ["archived_at", "created_at", "updated_at"]

    def get_credentials_set(self, instance: Instance) -> list[str]:
        return sorted(name for name, value in (instance.credentials or {}).items() if value)

    def get_webhook_url(self, instance: Instance) -> str:
        return webhook_url(instance)

    def validate_slug(self, slug: str) -> str:
        taken = Instance.objects.filter(slug=slug)
        if self.instance is not None:
            if slug != self.instance.slug:
                raise serializers.ValidationError(
                    "a slug never changes: it is part of the webhook address")
        elif taken.exists():
            raise serializers.ValidationError("this slug is taken")
        return slug

    def validate_provider(self, provider: str) -> str:
        try:
            library.get(provider)
        except UnknownProvider as exc:
            raise serializers.ValidationError(exc.message) from exc
        if self.instance is not None and provider != self.instance.provider:
            raise serializers.ValidationError("an instance keeps its provider")
        return provider

    def create(self, validated_data: dict[str, Any]) -> Instance:
        return self._store(Instance(), validated_data)

    def update(self, instance: Instance, validated_data: dict[str, Any]) -> Instance:
        return self._store(instance, validated_data)

    def _store(self, instance: Instance, data: dict[str, Any]) -> Instance:
        """Raises InvalidParams with every wrong setting and credential, and with those that must
        be given again.
        """
        given, before = data.get("credentials", {}), instance.settings or {}
        stored = instance.credentials or {}
        for name in ("settings", "credentials"):
            if name in data:
                data[name] = merged(getattr(instance, name) or {}, data[name])
        for name, value in data.items():
            setattr(instance, name, value)
        if instance.pk is None or {"settings", "credentials"} & data.keys():
            instance.check_to_save()
            missing = moved.need_again(instance.adapter.addresses, before=before, stored=stored,
                                       after=instance.settings, given=given)
            if missing:
                raise serializers.ValidationError({"credentials": moved.told(missing)})
        instance.save()
        return instance


class HealthSerializer(serializers.Serializer):
    """What the provider says about the account. qr: for callers with the admin scope only."""

    state = serializers.CharField(help_text="connected, disconnected, connecting or unknown.")
    detail = serializers.CharField()
    qr = serializers.CharField(allow_null=True)


class SetUpSerializer(serializers.Serializer):
    webhook_url = serializers.CharField()
    facts = serializers.DictField(help_text="What the provider answered.")
