"""Bindings as the REST API shows and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connections import library
from omni.api import StrictFieldsMixin
from omni.errors import UnknownProvider
from registry.models import Binding


class BindingScopeSerializer(StrictFieldsMixin, serializers.Serializer):
    """Exactly one of instance (slug), provider (name) and global (true)."""

    instance = serializers.CharField(max_length=63, required=False)
    provider = serializers.CharField(max_length=32, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        everywhere = serializers.BooleanField(required=False)  # `global` is a Python keyword
        return {**super().get_fields(), "global": everywhere}

    def validate(self, scope: dict[str, Any]) -> dict[str, Any]:
        if len(scope) != 1 or scope.get("global") is False:
            raise serializers.ValidationError(
                "give exactly one of instance (slug), provider (name) and global (true)")
        return scope

    def validate_provider(self, provider: str) -> str:
        try:
            library.get(provider)
        except UnknownProvider as exc:
            raise serializers.ValidationError(exc.message) from exc
        return provider


class BindingRequestSerializer(StrictFieldsMixin, serializers.Serializer):
    """Where a workflow is switched on. version: a published number; null follows the latest.

    A field that is left out keeps its value where the binding is there already; a new one is
    enabled, without inputs, with the document's priority, and follows the latest.
    """

    workflow = serializers.CharField(max_length=64, help_text="Its id.")
    scope = BindingScopeSerializer()
    enabled = serializers.BooleanField(required=False)
    inputs = serializers.DictField(
        required=False, help_text="All of them: a name that is left out has no value here.")
    priority = serializers.IntegerField(min_value=0, max_value=999, required=False,
                                        allow_null=True)
    version = serializers.IntegerField(min_value=1, max_value=2 ** 31 - 1, required=False,
                                       allow_null=True)
    base_revision = serializers.IntegerField(
        min_value=0, max_value=2 ** 31 - 1, required=False,
        help_text="The binding's revision this was made from, 0 for none; 409 when it is another.")


class BindingSerializer(serializers.ModelSerializer):
    workflow = serializers.CharField(source="workflow.slug", read_only=True)
    scope = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="version.number", read_only=True, allow_null=True,
                                       default=None)
    inputs = serializers.DictField(read_only=True)

    class Meta:
        model = Binding
        fields = ["id", "workflow", "scope", "enabled", "inputs", "priority", "version",
                  "revision", "updated_at"]
        read_only_fields = fields

    @extend_schema_field(BindingScopeSerializer)
    def get_scope(self, binding: Binding) -> dict[str, Any]:
        if binding.scope == "instance":
            return {"instance": binding.instance.slug}
        if binding.scope == "provider":
            return {"provider": binding.provider}
        return {"global": True}
