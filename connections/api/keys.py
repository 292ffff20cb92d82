"""REST: the keys of programs."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from connections.access import ApiKey, Principal
from connections.api.key_serializers import (
    ApiKeyRequestSerializer,
    ApiKeySerializer,
    IssuedKeySerializer,
)
from connections.models import Instance
from connections.rest.authentication import principal
from connections.rest.views import need_every_instance
from omni.api import StrictFiltersMixin
from omni.audit import note


class ApiKeyViewSet(StrictFiltersMixin, mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet):
    """Keys of programs. The text of a key is shown once, in the answer that makes it."""

    queryset = ApiKey.objects.prefetch_related("instances")
    serializer_class = ApiKeySerializer
    scope = write_scope = "admin"

    def get_queryset(self) -> QuerySet[ApiKey]:
        return super().get_queryset().within_reach_of(principal(self.request))

    @extend_schema(request=ApiKeyRequestSerializer, responses={201: IssuedKeySerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a key. It reaches no further than the key that makes it."""
        wish = ApiKeyRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        facts, who = wish.validated_data, principal(request)
        beyond = [scope for scope in facts["scopes"] if not who.may(scope)]
        if beyond:
            raise PermissionDenied(f"your own key lacks the scope {', '.join(beyond)}")
        instances = _named(facts.get("instances", []), who)
        if not instances:
            need_every_instance(who)
        key, text = ApiKey.issue(facts["name"], scopes=facts["scopes"], instances=instances,
                                 days=facts["days"], by=who)
        note(who.name, "key.issued", key.public_id, scopes=facts["scopes"],
             instances=[instance.slug for instance in instances])
        key.text = text
        return Response(IssuedKeySerializer(key).data, status=201)

    @extend_schema(request=None, responses=ApiKeySerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Make a key useless, now and for good."""
        key = self.get_object()
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            note(principal(request).name, "key.revoked", key.public_id)
        return Response(self.get_serializer(key).data)


def _named(slugs: list[str], who: Principal) -> list[Instance]:
    """The instances of `slugs`. Raises ValidationError that names those the caller cannot see."""
    found = {row.slug: row for row in Instance.objects.visible_to(who).filter(slug__in=slugs)}
    missing = [slug for slug in slugs if slug not in found]
    if missing:
        raise serializers.ValidationError(
            {"instances": [f"there is no instance '{slug}'" for slug in missing]})
    return list(found.values())
