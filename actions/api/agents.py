"""REST: agents and contact lists, which actions ask."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from actions.api.serializers import (
    AgentSerializer,
    ContactListSerializer,
    ContactListSummarySerializer,
)
from actions.models import Agent, ContactList
from connections.models import Instance
from connections.rest.authentication import principal
from connections.rest.views import (
    INSTANCE_UNREAD,
    Conflict,
    need_every_instance,
    need_right_to_place,
)
from events.api.filters import AccountFilter
from omni.api import StrictFiltersMixin
from omni.audit import note

METHODS = ["get", "post", "patch", "delete", "head", "options"]


class AgentFilter(filters.FilterSet):
    class Meta:
        model = Agent
        fields = ["kind", "enabled"]


class AgentViewSet(StrictFiltersMixin, viewsets.ModelViewSet):
    """Agents: who writes an answer. They belong to no instance."""

    queryset = Agent.objects.all()
    serializer_class = AgentSerializer
    filterset_class = AgentFilter
    lookup_field = "slug"
    http_method_names = METHODS
    scope, write_scope = "read", "workflows"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS:  # before the body is looked at
            need_every_instance(principal(request))

    def perform_create(self, serializer: Any) -> None:
        agent = serializer.save()
        note(principal(self.request).name, "agent.created", agent.slug, kind=agent.kind)

    def perform_update(self, serializer: Any) -> None:
        changed = sorted(serializer.validated_data)
        agent = serializer.save()
        note(principal(self.request).name, "agent.changed", agent.slug, fields=changed)

    def perform_destroy(self, agent: Agent) -> None:
        used = Instance.objects.active().filter(agent=agent.slug).values_list("slug", flat=True)
        if used:
            raise Conflict(f"agent '{agent.slug}' answers on {', '.join(used[:10])}; give these "
                           "instances another agent first", code="agent_in_use")
        note(principal(self.request).name, "agent.deleted", agent.slug)
        agent.delete()


class ContactListFilter(filters.FilterSet):
    instance = AccountFilter()
    everywhere = filters.BooleanFilter(field_name="instance", lookup_expr="isnull",
                                       help_text="Only lists of every instance, or the others.")

    class Meta:
        model = ContactList
        fields = ["name", "purpose", "label", "enabled"]


@extend_schema_view(list=extend_schema(responses=ContactListSummarySerializer(many=True)))
class ContactListViewSet(StrictFiltersMixin, viewsets.ModelViewSet):
    """Contact lists: who is allowed, blocked or treated in a way of their own."""

    queryset = ContactList.objects.select_related("instance").defer(*INSTANCE_UNREAD)
    serializer_class = ContactListSerializer
    filterset_class = ContactListFilter
    http_method_names = METHODS
    scope, write_scope = "read", "workflows"

    def get_queryset(self) -> QuerySet[ContactList]:
        who = principal(self.request)
        rows = super().get_queryset()
        if who.instance_ids is None:
            return rows
        return rows.filter(Q(instance__isnull=True) | Q(instance_id__in=who.instance_ids))

    def get_object(self) -> ContactList:
        """A list of one instance needs a grant on it (others are not found), a global one all."""
        row = super().get_object()
        if row.instance is None and self.request.method not in SAFE_METHODS:
            need_every_instance(principal(self.request))
        return row

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        need_right_to_place(request)
        return super().create(request, *args, **kwargs)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if "instance" in request.data:
            need_right_to_place(request)
        return super().update(request, *args, **kwargs)

    def get_serializer_class(self) -> type[ContactListSummarySerializer]:
        return ContactListSummarySerializer if self.action == "list" else ContactListSerializer

    def perform_create(self, serializer: Any) -> None:
        row = serializer.save()
        note(principal(self.request).name, "contact_list.created", row.name, purpose=row.purpose)

    def perform_update(self, serializer: Any) -> None:
        changed = sorted(serializer.validated_data)
        row = serializer.save()
        note(principal(self.request).name, "contact_list.changed", row.name, fields=changed)

    def perform_destroy(self, row: ContactList) -> None:
        note(principal(self.request).name, "contact_list.deleted", row.name)
        row.delete()
