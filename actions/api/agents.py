"""REST: agents and contact lists, which actions ask."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets

from actions.api.serializers import (
    AgentSerializer,
    ContactListSerializer,
    ContactListSummarySerializer,
)
from actions.models import Agent, ContactList
from connections.access import Principal
from connections.authentication import principal
from connections.models import Instance
from connections.rest import INSTANCE_UNREAD, Conflict, need_every_instance
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

    def perform_create(self, serializer: Any) -> None:
        need_every_instance(principal(self.request))
        agent = serializer.save()
        note(principal(self.request).name, "agent.created", agent.slug, kind=agent.kind)

    def perform_update(self, serializer: Any) -> None:
        need_every_instance(principal(self.request))
        changed = sorted(serializer.validated_data)
        agent = serializer.save()
        note(principal(self.request).name, "agent.changed", agent.slug, fields=changed)

    def perform_destroy(self, agent: Agent) -> None:
        need_every_instance(principal(self.request))
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

    def get_serializer_class(self) -> type[ContactListSummarySerializer]:
        return ContactListSummarySerializer if self.action == "list" else ContactListSerializer

    def perform_create(self, serializer: Any) -> None:
        who = principal(self.request)
        _may_change(who, serializer.validated_data["instance"])
        row = serializer.save()
        note(who.name, "contact_list.created", row.name, purpose=row.purpose)

    def perform_update(self, serializer: Any) -> None:
        who = principal(self.request)
        _may_change(who, serializer.instance.instance)
        _may_change(who, serializer.validated_data.get("instance", serializer.instance.instance))
        changed = sorted(serializer.validated_data)
        row = serializer.save()
        note(who.name, "contact_list.changed", row.name, fields=changed)

    def perform_destroy(self, row: ContactList) -> None:
        who = principal(self.request)
        _may_change(who, row.instance)
        note(who.name, "contact_list.deleted", row.name)
        row.delete()


def _may_change(who: Principal, instance: Instance | None) -> None:
    """A list of one instance needs a grant on it (others are not even found), a global one all."""
    if instance is None:
        need_every_instance(who)
