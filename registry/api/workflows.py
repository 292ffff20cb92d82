"""REST: workflows, from draft to published version. `registry.versions` does the work."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import Conflict, need_every_instance
from omni.api import StrictFiltersMixin
from omni.errors import InvalidWorkflow
from omni.yaml import profile
from registry.api.backtests import BacktestActions
from registry.api.filters import WorkflowFilter
from registry.api.mode_verbs import ModeVerbs
from registry.api.stale_answers import STALE, StaleAnswers
from registry.api.start_verbs import StartVerbs
from registry.api.trials import TrialActions
from registry.api.version_serializers import (
    PublishedSerializer,
    VersionSerializer,
    VersionSummarySerializer,
)
from registry.api.versions import VersionVerbs, published, warnings_of
from registry.api.workflow_serializers import (
    DraftSerializer,
    PublishSerializer,
    TextSerializer,
    ValidationSerializer,
    WorkflowSerializer,
    WorkflowsSerializer,
    WorkflowSummarySerializer,
)
from registry.api.yaml_bodies import DOCUMENT_PARSERS, SchemaRenderer, YamlRenderer
from registry.language import schema
from registry.models import Workflow, WorkflowVersion
from registry.trials import elsewhere
from registry.versions import drafts, publishing

IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER,
                            description="The revision (ETag) the text was made from.")
DOCUMENT = {"application/json": TextSerializer, "text/yaml": OpenApiTypes.STR}


class WorkflowViewSet(VersionVerbs, ModeVerbs, StartVerbs, TrialActions, BacktestActions,
                      StaleAnswers, StrictFiltersMixin, missing.NamedLookup,
                      viewsets.ReadOnlyModelViewSet):
    """Workflows: YAML documents with immutable published versions. They belong to no instance."""

    queryset = Workflow.objects.annotate(latest_version=Subquery(
        WorkflowVersion.objects.filter(workflow=OuterRef("pk")).order_by("-number")
        .values("number")[:1]))
    serializer_class = WorkflowSerializer
    filterset_class = WorkflowFilter
    lookup_field = "slug"
    parser_classes = DOCUMENT_PARSERS
    scope, write_scope = "read", "workflows"

    def get_serializer_class(self) -> type[WorkflowSummarySerializer]:
        return WorkflowSummarySerializer if self.action == "list" else WorkflowSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.shown(self.get_object())

    @extend_schema(request=DOCUMENT, responses={201: WorkflowSerializer})
    def create(self, request: Request) -> Response:
        """Store the draft of a new workflow; its id is in the document."""
        actor, text = self.writer(), self.body(TextSerializer)["text"]
        slug = document_id(text)
        if Workflow.objects.filter(slug=slug).exists():
            raise Conflict(f"there is a workflow '{slug}' already; PUT it, or import the text",
                           code="exists")
        return self.shown(drafts.save_draft(text, actor=actor), status=201)

    @extend_schema(request={"application/json": DraftSerializer, "text/yaml": OpenApiTypes.STR},
                   responses={200: WorkflowSerializer, **STALE}, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str) -> Response:
        """Store a new draft. 409 with code `stale` when somebody saved in between."""
        workflow, actor = self.get_object(), self.writer()
        wish = self.body(DraftSerializer)
        _need_id(wish["text"], slug)
        return self.shown(drafts.save_draft(wish["text"], actor=actor,
                                            base_revision=self.base_revision(wish, workflow)))

    @extend_schema(request=DOCUMENT, responses=ValidationSerializer)
    @action(detail=False, methods=["post"])
    def validate(self, request: Request) -> Response:
        """Every problem of a document, with its place; nothing is stored."""
        try:
            problems = drafts.problems(self.body(TextSerializer)["text"])
        except InvalidWorkflow as exc:
            problems = exc.problems
        return Response({"valid": not any(item.severity == "error" for item in problems),
                         "problems": [item.as_dict() for item in problems]})

    @extend_schema(request=DOCUMENT, responses=WorkflowsSerializer, parameters=[
        OpenApiParameter("publish", bool, description="false: store drafts only.")])
    @action(detail=False, methods=["post"], url_path="import", url_name="import")
    def import_text(self, request: Request) -> Response:
        """Store a document, new or known, and publish it; the answer lists what is doubtful."""
        actor, flag = self.writer(), request.query_params.get("publish", "true").lower()
        if flag not in ("true", "false"):
            raise ValidationError({"publish": "true or false"})
        text = self.body(TextSerializer)["text"]
        stored = publishing.import_text(text, actor=actor, publish=flag == "true",
                                        user=self.person(), tests=self.tests())
        rows = self.get_queryset().filter(pk__in=[row.pk for row in stored]).order_by("slug")
        return Response(WorkflowsSerializer({"results": rows, "warnings": [
            warning for row in rows for warning in warnings_of(row, row.draft)]}).data)

    @extend_schema(responses=OpenApiTypes.OBJECT, auth=[{"apiKey": []}, {}])  # or without
    @action(detail=False, methods=["get"], url_path="schema", url_name="schema",
            authentication_classes=[], permission_classes=[],
            renderer_classes=[SchemaRenderer, JSONRenderer], filterset_class=None)
    def language(self, request: Request) -> Response | HttpResponse:
        """The JSON Schema of the language, with every action of this installation.

        Editors fetch it by its address, without a key: it tells names and parameters of actions,
        and nothing of what is stored.
        """
        host = settings.OMNI_PUBLIC_URL
        tag = schema.tag(host)
        answer = get_conditional_response(request, etag=tag) or Response(
            schema.build(host=host))
        answer["ETag"], answer["Cache-Control"] = tag, "public, max-age=300"
        answer["Access-Control-Allow-Origin"] = "*"
        return answer

    @extend_schema(request=PublishSerializer, responses={201: PublishedSerializer, **STALE},
                   parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, slug: str) -> Response:
        """Make the draft, or a new text, a version; 400 with every problem when it has
        errors or a test fails.
        """
        workflow, who = self.get_object(), self.writer()
        wish = self.body(PublishSerializer)
        facts = {"actor": who, "user": self.person(), "note": wish["note"],
                 "base_revision": self.base_revision(wish, workflow),
                 "skip_tests": wish["skip_tests"], "tests": self.tests()}
        if "text" not in wish:
            return published(publishing.publish(workflow, **facts))
        _need_id(wish["text"], slug)
        return published(publishing.publish_text(wish["text"], **facts))

    @extend_schema(responses=VersionSummarySerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def versions(self, request: Request, slug: str) -> Response:
        """Published versions, newest first."""
        rows = self.get_object().versions.select_related("workflow", "author").defer("text",
                                                                                     "compiled")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(VersionSummarySerializer(page, many=True).data)

    @extend_schema(responses=VersionSerializer, parameters=[
        OpenApiParameter("number", int, OpenApiParameter.PATH)])
    @action(detail=True, methods=["get"], url_path=r"versions/(?P<number>[0-9]+)",
            url_name="version")
    def version(self, request: Request, slug: str, number: str) -> Response:
        """One published version with its text."""
        rows = self.get_object().versions.select_related("workflow", "author")
        return Response(VersionSerializer(missing.numbered(
            rows, int(number[:18]), field="number",
            what=f"version of '{slug}' with the number")).data)

    @extend_schema(
        responses={(200, "text/yaml"): OpenApiResponse(OpenApiTypes.STR),
                   (200, "application/json"): TextSerializer},
        parameters=[OpenApiParameter("version", int, description=(
            "Absent: the newest, or the draft while nothing is published."))])
    @action(detail=True, methods=["get"], renderer_classes=[YamlRenderer, JSONRenderer],
            filterset_class=None, page_parameters=frozenset({"version"}))
    def export(self, request: Request, slug: str) -> Response:
        """The document as a file, as it was written."""
        wanted = request.query_params.get("version")
        if wanted is not None and not (wanted.isascii() and wanted.isdigit()):
            raise ValidationError({"version": "must be a whole number"})
        workflow = self.get_object()
        number = int(wanted[:19]) if wanted else None
        if number is not None:
            missing.numbered(workflow.versions, number, field="number",
                             what=f"version of '{slug}' with the number")
        return Response(
            {"text": publishing.export_text(workflow, number=number)},
            headers={"Content-Disposition": f'attachment; filename="{workflow.slug}.yaml"'})

    def body(self, serializer: type[serializers.Serializer]) -> dict[str, Any]:
        wish = serializer(data=self.request.data)
        wish.is_valid(raise_exception=True)
        return wish.validated_data

    def writer(self) -> str:
        """The caller's name for the records. Raises PermissionDenied when it may not write."""
        who = principal(self.request)
        need_every_instance(who)
        return who.name

    def tests(self) -> publishing.Tests:
        """Who runs the tests of what is published: not this process."""
        return elsewhere.tests_for(principal(self.request))

    def person(self) -> Any:
        user = self.request.user
        return user if isinstance(user, get_user_model()) else None

    def base_revision(self, wish: dict[str, Any], workflow: Workflow) -> int | None:
        """The revision the caller started from: `base_revision`, else If-Match, else unknown."""
        header = self.request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
        if header and header != "*" and "base_revision" not in wish:
            if not (header.isascii() and header.isdigit()):
                raise drafts.Stale(f"If-Match '{header[:40]}' is no revision; the draft is at "
                                   f"revision {workflow.revision}", stored=workflow.draft,
                                   yours=wish.get("text"))
            return int(header[:19])
        return wish.get("base_revision")

    def shown(self, workflow: Workflow, *, status: int = 200) -> Response:
        row = self.get_queryset().get(pk=workflow.pk)
        return Response(WorkflowSerializer(row).data, status=status,
                        headers={"ETag": f'"{row.revision}"'})


def document_id(text: str) -> str:
    """The id in a document, "" when it has none. Raises InvalidWorkflow when it is no YAML."""
    data = profile.load(text).data
    return str(data.get("id", "")) if isinstance(data, dict) else ""


def _need_id(text: str, slug: str) -> None:
    named = document_id(text)
    if named != slug:
        raise ValidationError({"text": f"the document's id is '{named}', not '{slug}'"})
