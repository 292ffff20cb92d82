"""REST: what published versions differ in, which one runs where, and going back to an old one."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from connections.models import Instance
from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import conflict_when
from registry.api.stale_answers import STALE
from registry.api.version_serializers import (
    CanarySerializer,
    DiffQuerySerializer,
    DiffSerializer,
    EffectiveSerializer,
    PromoteSerializer,
    PublishedSerializer,
    RepinsSerializer,
)
from registry.api.workflow_serializers import RollBackSerializer
from registry.models import Workflow, WorkflowVersion
from registry.trials import elsewhere
from registry.versions import canary, comparison, drafts, effective, publishing


class VersionVerbs:
    """Verbs of `WorkflowViewSet` about its versions."""

    @extend_schema(request=RollBackSerializer, responses={201: PublishedSerializer, **STALE})
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, slug: str) -> Response:
        """Publish the text of an old version again, as the newest version and as the draft."""
        workflow, who = self.get_object(), self.writer()
        wish = self.body(RollBackSerializer)
        _version(workflow, wish["version"])
        version = publishing.roll_back(
            workflow, wish["version"], actor=who, user=self.person(), note=wish["note"],
            base_revision=self.base_revision(wish, workflow))
        return published(version)

    @extend_schema(responses=DiffSerializer, parameters=[DiffQuerySerializer], filters=False)
    @action(detail=True, methods=["get"], filterset_class=None,
            page_parameters=frozenset(DiffQuerySerializer().fields) | {"format"})
    def diff(self, request: Request, slug: str) -> Response:
        """What two versions differ in, and which stored events only one of them matches."""
        workflow = self.get_object()
        query = DiffQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        for name in ("before", "after"):
            if name in asked:
                _version(workflow, asked[name])
        if "before" not in asked and workflow.latest() is None:
            raise ValidationError({"before": "nothing is published yet"})
        found = comparison.compare(
            workflow, asked.get("before"), asked.get("after"), who=principal(request),
            days=asked["days"], most=asked["events"],
            instance=_instance(request, asked.get("instance")))
        return Response(DiffSerializer(found).data)

    @extend_schema(request=CanarySerializer, responses=RepinsSerializer)
    @action(detail=True, methods=["post"])
    def canary(self, request: Request, slug: str) -> Response:
        """Run a version on one instance only. What follows the newest is held at the one before."""
        workflow, who = self.get_object(), self.writer()
        wish = self.body(CanarySerializer)
        _need_version(workflow, wish)
        version, changed = canary.start(
            workflow, instance=_instance(request, wish["instance"]), actor=who,
            number=wish.get("version"), draft=wish["draft"], user=self.person(),
            tests=elsewhere.tests_for(principal(request)))
        return Response(RepinsSerializer({"version": version.number, "bindings": changed}).data)

    @extend_schema(request=PromoteSerializer, responses=RepinsSerializer)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, slug: str) -> Response:
        """Let every binding run the version that is tried, and end the canaries."""
        workflow, who = self.get_object(), self.writer()
        wish = self.body(PromoteSerializer)
        _need_version(workflow, wish)
        with conflict_when("no_canary"):
            version, changed = canary.promote(workflow, actor=who, number=wish.get("version"))
        return Response(RepinsSerializer({"version": version.number, "bindings": changed}).data)

    @extend_schema(responses=EffectiveSerializer(many=True), filters=False, parameters=[
        OpenApiParameter("instance", str, description="Absent: all the caller may see.")])
    @action(detail=True, methods=["get"], filterset_class=None,
            page_parameters=frozenset({"limit", "before", "after", "format", "instance"}))
    def effective(self, request: Request, slug: str) -> Response:
        """How the workflow stands on each instance: every value, and where it comes from."""
        workflow = self.get_object()
        rows = Instance.objects.visible_to(principal(request)).defer("credentials", "settings")
        if "instance" in request.query_params:
            rows = rows.filter(pk=_instance(request, request.query_params["instance"]).pk)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(EffectiveSerializer(
            list(effective.views(workflow, page)), many=True).data)


def published(version: WorkflowVersion, *, status: int = 201) -> Response:
    """A version that was just published, with what is doubtful in it."""
    version.warnings = warnings_of(version.workflow, version.text)
    return Response(PublishedSerializer(version).data, status=status)


def warnings_of(workflow: Workflow, text: str) -> list[dict[str, Any]]:
    return [{**item.as_dict(), "workflow": workflow.slug} for item in drafts.warnings(text)]


def _instance(request: Request, slug: str | None) -> Instance | None:
    """An instance the caller may see; 404 for others, as for those that are not there."""
    if slug is None:
        return None
    return missing.named(Instance.objects.visible_to(principal(request)), slug, what="instance")


def _version(workflow: Workflow, number: int) -> WorkflowVersion:
    return missing.numbered(workflow.versions, number, field="number",
                            what=f"version of '{workflow.slug}' with the number")


def _need_version(workflow: Workflow, wish: dict[str, Any]) -> None:
    if "version" in wish and not workflow.versions.filter(number=wish["version"]).exists():
        raise ValidationError({"version": f"'{workflow.slug}' has no version {wish['version']}"})
