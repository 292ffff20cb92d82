"""REST: what workflows handed to people."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from actions import tasks
from actions.models import Task
from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, conflict_when
from events.api.filters import AccountFilter, IdFilter, PersonFilter, PlaceFilter
from events.api.serializers import InstanceSlugField
from omni.api import StrictFiltersMixin


class TaskSerializer(serializers.ModelSerializer):
    """One thing a person is to do. closed_by: a person (user:…) or a key (key:…)."""

    instance = InstanceSlugField()
    assignee = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Task
        fields = ["id", "instance", "kind", "queue", "title", "note", "priority", "state", "event",
                  "conversation", "contact", "run_id", "assignee", "created_at", "closed_at",
                  "closed_by"]
        read_only_fields = fields


class TaskFilter(filters.FilterSet):
    instance = AccountFilter(help_text="Slug.")
    state = filters.ChoiceFilter(choices=Task.STATES)
    priority = filters.ChoiceFilter(choices=Task.PRIORITIES)
    queue = filters.CharFilter()
    kind = filters.CharFilter()
    conversation = PlaceFilter(field_name="conversation_id")
    contact = PersonFilter(field_name="contact_id")
    event = IdFilter(field_name="event_id")
    run = IdFilter(field_name="run_id")
    assignee = filters.CharFilter(field_name="assignee__username", help_text="User name.")
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: list[str] = []


class TaskViewSet(StrictFiltersMixin, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Tasks: what workflows handed to people."""

    queryset = Task.objects.select_related("instance", "assignee").defer(*INSTANCE_UNREAD)
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    scope, write_scope = "read", "send"

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Say that an open task is done."""
        return self._settled("done")

    @extend_schema(request=None, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Say that an open task will not be done."""
        return self._settled("canceled")

    def _settled(self, state: str) -> Response:
        task: Any = self.get_object()
        with conflict_when("stale"):
            tasks.settle(task, state, actor=principal(self.request).name)
        return Response(TaskSerializer(self.get_queryset().get(pk=task.pk)).data)
