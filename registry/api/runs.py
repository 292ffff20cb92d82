"""REST: where workflows are switched on, what they did, and everything that came of one event."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from connections.access import Principal
from connections.models import Instance
from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, conflict_when, need_every_instance
from events.api.serializers import OutcomesSerializer
from events.models import Event, EventAction, OutboxMessage
from omni.api import StrictFiltersMixin
from registry.api.approvals import questions
from registry.api.binding_serializers import BindingRequestSerializer, BindingSerializer
from registry.api.filters import BindingFilter, RunFilter
from registry.api.run_serializers import (
    PlanSerializer,
    RerunSerializer,
    RunSerializer,
    TraceSerializer,
)
from registry.api.stale_answers import STALE, StaleAnswers
from registry.engine.starts import reruns
from registry.engine.waits import endings
from registry.models import Binding, RoutingDecision, Run, Wait, Workflow
from registry.versions import bindings, drafts


def runs() -> QuerySet[Run]:
    """Runs with the names of their instance, workflow and version, in one statement."""
    return Run.objects.select_related("instance", "workflow", "version").defer(
        *INSTANCE_UNREAD, "workflow__draft", "version__text", "version__compiled")


def outcomes(**of: Any) -> QuerySet[EventAction]:
    return (EventAction.objects.filter(**of).in_order().select_related("instance")
            .defer(*INSTANCE_UNREAD))


class BindingViewSet(StaleAnswers, StrictFiltersMixin, mixins.ListModelMixin,
                     mixins.RetrieveModelMixin, mixins.DestroyModelMixin,
                     viewsets.GenericViewSet):
    """Where workflows are switched on. The narrowest scope decides, key by key."""

    queryset = Binding.objects.select_related("workflow", "instance", "version").defer(
        *INSTANCE_UNREAD, "workflow__draft", "version__text", "version__compiled")
    serializer_class = BindingSerializer
    filterset_class = BindingFilter
    scope, write_scope = "read", "workflows"

    def get_queryset(self) -> QuerySet[Binding]:
        rows, who = super().get_queryset(), principal(self.request)
        if who.instance_ids is None:
            return rows
        return rows.filter(~Q(scope="instance") | Q(instance_id__in=who.instance_ids))

    @extend_schema(request=BindingRequestSerializer, responses={200: BindingSerializer, **STALE})
    def put(self, request: Request) -> Response:
        """Say how a workflow is switched on in one scope; what is left out stays as it was.

        409 with code `stale` when `base_revision` is not the revision of what is there.
        """
        wish = BindingRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        facts, who = wish.validated_data, principal(request)
        place = _place(facts.pop("scope"), who)
        workflow = missing.named(Workflow.objects.all(), facts.pop("workflow"), what="workflow")
        if number := facts.get("version"):
            facts["version"] = workflow.versions.filter(number=number).first()
            if facts["version"] is None:
                raise ValidationError({"version": f"'{workflow.slug}' has no version {number}"})
        base = facts.pop("base_revision", None)
        with transaction.atomic():
            if base is not None:
                _need_revision(bindings.lock_binding(workflow, **place), base, request.data)
            binding = bindings.bind(workflow, **place, **facts, actor=who.name)
        return Response(BindingSerializer(self.get_queryset().get(pk=binding.pk)).data)

    def perform_destroy(self, binding: Binding) -> None:
        """Wider bindings decide from now on; without any the workflow is off there."""
        who = principal(self.request)
        if binding.scope != "instance":
            need_every_instance(who)
        bindings.unbind(binding, actor=who.name)


def _need_revision(stored: Binding | None, base_revision: int, yours: dict[str, Any]) -> None:
    revision = stored.revision if stored is not None else 0
    if revision == base_revision:
        return
    raise drafts.Stale(
        f"the binding is at revision {revision}, you edited {base_revision}; load it again"
        if stored else f"there is no such binding any more; you edited {base_revision}",
        stored=stored and BindingSerializer(stored).data, yours=yours)


def _place(scope: dict[str, Any], who: Principal) -> dict[str, Any]:
    """Arguments of `bindings.bind`. An instance the caller cannot see does not exist (404)."""
    if "instance" in scope:
        instance = missing.named(Instance.objects.visible_to(who), scope["instance"],
                                 what="instance")
        return {"scope": "instance", "instance": instance}
    need_every_instance(who)
    if "provider" in scope:
        return {"scope": "provider", "provider": scope["provider"]}
    return {"scope": "global"}


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


class TraceView(VisibleRows, GenericAPIView):
    """An event with its decision, its runs, what they wait for, their outcomes and what went out.
    """

    queryset = (Event.objects.select_related("instance").defer(*INSTANCE_UNREAD)
                .prefetch_related("attachments"))
    scope = "read"
    filter_backends: list[Any] = []

    @extend_schema(operation_id="events_trace_retrieve", responses=TraceSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The whole story of one event, in order."""
        event = self.get_object()
        of_event = runs().filter(event=event).order_by("pk")
        outbox = (OutboxMessage.objects.visible_to(principal(request))
                  .filter(run_id__in=[run.pk for run in of_event])
                  .select_related("instance").defer(*INSTANCE_UNREAD).order_by("pk"))
        return Response(TraceSerializer({
            "event": event, "runs": of_event, "actions": outcomes(event=event),
            "waits": Wait.objects.filter(run__in=of_event),
            "approvals": questions().filter(event=event).order_by("pk"),
            "outbox": outbox, "routing_decision": RoutingDecision.objects.filter(
                event=event).first()}).data)
