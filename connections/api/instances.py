"""REST: the configured accounts."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connections.api.instance_serializers import (
    HealthSerializer,
    InstanceSerializer,
    SetUpSerializer,
)
from connections.models import Instance
from connections.rest.authentication import principal
from connections.rest.views import Conflict, VisibleRows, need_every_instance
from connections.webhooks import webhook_url
from omni.api import StrictFiltersMixin
from omni.audit import note


class InstanceFilter(filters.FilterSet):
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True,
                                     help_text="Only archived ones, or only the others.")

    class Meta:
        model = Instance
        fields = ["provider", "enabled"]


class InstanceViewSet(StrictFiltersMixin, VisibleRows, mixins.CreateModelMixin,
                      mixins.UpdateModelMixin, viewsets.ReadOnlyModelViewSet):
    """Configured accounts; archived, never deleted."""

    queryset = Instance.objects.all()
    serializer_class = InstanceSerializer
    filterset_class = InstanceFilter
    lookup_field = "slug"
    http_method_names = ["get", "post", "patch", "head", "options"]
    scope, write_scope = "read", "admin"

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        need_every_instance(principal(request))  # before the body: which slugs are taken is told
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer: Any) -> None:
        instance = serializer.save()
        note(principal(self.request).name, "instance.created", instance.slug,
             provider=instance.provider)

    def perform_update(self, serializer: Any) -> None:
        changed = sorted(serializer.validated_data)
        before = serializer.instance.reach
        with transaction.atomic():
            instance = serializer.save()
            if instance.reach != before:
                need_every_instance(principal(self.request))
        note(principal(self.request).name, "instance.changed", instance.slug, fields=changed)

    @extend_schema(request=None, responses=InstanceSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, slug: str) -> Response:
        """Switch an account off for good: what still arrives is kept and not routed."""
        instance = self.get_object()
        if instance.archived_at is None:
            instance.archived_at, instance.enabled = timezone.now(), False
            instance.save(update_fields=["archived_at", "enabled", "updated_at"])
            note(principal(request).name, "instance.archived", instance.slug)
        return Response(self.get_serializer(instance).data)

    @extend_schema(responses=HealthSerializer)
    @action(detail=True, methods=["get"])
    def health(self, request: Request, slug: str) -> Response:
        """Ask the provider how the account is."""
        instance = self.get_object()
        health = instance.adapter.health(instance.account())
        if not principal(request).may("admin"):  # who scans the code owns the account
            health = {**health, "qr": None}
        return Response(HealthSerializer(health).data)

    @extend_schema(request=None, responses=SetUpSerializer)
    @action(detail=True, methods=["post"], url_path="set-up")
    def set_up(self, request: Request, slug: str) -> Response:
        """Prepare the account at the provider: register our webhook address there."""
        instance = self.get_object()
        if instance.archived_at is not None:
            raise Conflict(f"instance '{slug}' is archived", code="instance_archived")
        url = webhook_url(instance)
        facts = instance.adapter.set_up(instance.account(), webhook_url=url)
        note(principal(request).name, "instance.set_up", instance.slug)
        return Response(SetUpSerializer({"webhook_url": url, "facts": facts}).data)
