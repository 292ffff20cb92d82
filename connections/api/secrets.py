"""REST: secrets of workflows. Their values go in and never come out."""

from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from connections.access import Principal
from connections.models import Instance, Secret
from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, need_right_to_place
from connections.secrets.store import MOST_CHARACTERS, NAME
from connections.secrets.texts import LEAST_CHARACTERS
from omni.api import StrictFieldsMixin, StrictFiltersMixin
from omni.audit import note


class _VisibleInstance(serializers.SlugRelatedField):
    """An instance by its slug; one the caller cannot see does not exist."""

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(principal(self.context["request"]))


class SecretSerializer(StrictFieldsMixin, serializers.ModelSerializer):
    """A secret by its name. instance: null means every instance. Both stay as they were made."""

    name = serializers.RegexField(NAME, max_length=63)
    instance = _VisibleInstance(slug_field="slug", queryset=Instance.objects.all(),
                                allow_null=True, required=False, default=None)
    value = serializers.CharField(write_only=True, min_length=LEAST_CHARACTERS,
                                  max_length=MOST_CHARACTERS)

    class Meta:
        model = Secret
        fields = ["id", "name", "instance", "value", "created_at", "updated_at"]
        read_only_fields = ["id", "created_at", "updated_at"]
        validators: list[Any] = []  # one name per instance is checked below, null included

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        row = self.instance
        if row is None:
            if Secret.objects.filter(name=data["name"], instance=data["instance"]).exists():
                raise serializers.ValidationError({"name": "there is one; PATCH its value"})
            return data
        kept = [name for name in ("name", "instance")
                if name in self.initial_data and data[name] != getattr(row, name)]
        if kept:
            raise serializers.ValidationError(
                dict.fromkeys(kept, "stays as it is; add another secret and delete this one"))
        return data


class SecretViewSet(StrictFiltersMixin, VisibleRows, viewsets.ModelViewSet):
    """What workflows read as `secrets.<name>`; one of an instance wins over one of all."""

    queryset = Secret.objects.select_related("instance").defer("value", *INSTANCE_UNREAD)
    serializer_class = SecretSerializer
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    scope = write_scope = "admin"

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        need_right_to_place(request)
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: Any) -> None:
        _noted(principal(self.request), "secret.created", serializer.save())

    def perform_update(self, serializer: Any) -> None:
        _noted(principal(self.request), "secret.changed", serializer.save())

    def perform_destroy(self, row: Secret) -> None:
        _noted(principal(self.request), "secret.deleted", row)
        row.delete()


def _noted(who: Principal, what: str, row: Secret) -> None:
    note(who.name, what, row.name, instance=row.instance.slug if row.instance else "every")
