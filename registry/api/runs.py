"""REST: what workflows did, run by run."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, conflict_when
from events.api.serializers import OutcomesSerializer
from events.models import EventAction
from omni.api import StrictFiltersMixin
from registry.api.filters import RunFilter
from registry.api.run_serializers import PlanSerializer, RerunSerializer, RunSerializer
from registry.engine.starts import reruns
from registry.engine.waits import endings
from registry.models import Run


def runs() -> QuerySet[Run]:
    """Runs with the names of their instance, workflow and version, in one statement."""
    return Run.objects.select_related("instance", "workflow", "version").defer(
        *INSTANCE_UNREAD, "workflow__draft", "version__text", "version__compiled")


def outcomes(**of: Any) -> QuerySet[EventAction]:
    return (EventAction.objects.filter(**of).in_order().select_related("instance")
            .defer(*INSTANCE_UNREAD))


class RunViewSet(StrictFiltersMixin, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Workflows at work: one run per event, workflow and rerun."""

    queryset = runs()
    serializer_class = RunSerializer
    filterset_class = RunFilter
    scope, write_scope = "read", "send"

    @extend_schema(responses=OutcomesSerializer)
    @action(detail=True, methods=["get"])
    def actions(self, request: Request, pk: str) -> Response:
        """What every step of this run came to, in order."""
        return Response(OutcomesSerializer({"results": outcomes(run_id=self.get_object().pk)}).data)

    @extend_schema(request=RerunSerializer, responses={201: RunSerializer, 200: PlanSerializer})
    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, pk: str) -> Response:
        """Run the workflow on this event again, as a new run; or only say what would repeat.

        What is done again does its effects again; a preview lists them and does nothing.
        """
        run, wish = self.get_object(), RerunSerializer(data=request.data or {})
        wish.is_valid(raise_exception=True)
        how = {"mode": wish.validated_data["mode"], "steps": wish.validated_data["steps"]}
        with conflict_when("stale"):
            if wish.validated_data["preview"]:
                return Response({"again": [one.as_dict() for one in reruns.plan(run, **how)]})
            again = reruns.rerun(run, actor=principal(request).name, **how)
        return Response(RunSerializer(runs().get(pk=again.pk)).data, status=201)

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a run that has not ended; steps that were done stay done."""
        run = self.get_object()
        with conflict_when("stale"):
            endings.cancel_by(principal(request).name, run)
        return Response(RunSerializer(runs().get(pk=run.pk)).data)
