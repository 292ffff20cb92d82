"""API keys as the REST API shows and takes them."""

from rest_framework import serializers

from connections.access import KEY_DAYS, KEY_MAX_DAYS, SCOPES, ApiKey
from omni.api import StrictFieldsMixin


class ApiKeySerializer(serializers.ModelSerializer):
    """A key without its text. instances: empty means every instance."""

    key_id = serializers.CharField(source="public_id", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    instances = serializers.SlugRelatedField(slug_field="slug", many=True, read_only=True)

    class Meta:
        model = ApiKey
        fields = ["id", "name", "key_id", "scopes", "instances", "made_by", "expires_at",
                  "revoked_at", "last_used_at", "created_at"]
        read_only_fields = fields


class IssuedKeySerializer(ApiKeySerializer):
    """The answer to making a key: the only time its text is shown."""

    text = serializers.CharField(read_only=True)

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "text"]
        read_only_fields = fields


class ApiKeyRequestSerializer(StrictFieldsMixin, serializers.Serializer):
    """A wish for a key. days: until it expires."""

    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(child=serializers.CharField(max_length=16), min_length=1,
                                   max_length=len(SCOPES), help_text=", ".join(SCOPES))
    instances = serializers.ListField(child=serializers.CharField(max_length=63), required=False,
                                      max_length=500, help_text="Slugs; empty: every instance.")
    days = serializers.IntegerField(min_value=1, max_value=KEY_MAX_DAYS, default=KEY_DAYS)

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown:
            raise serializers.ValidationError(
                f"unknown scopes {', '.join(unknown)}; known: {', '.join(SCOPES)}")
        return sorted(set(scopes), key=SCOPES.index)
