"""REST: trying workflows out. Another process does it; nothing here stores more than pins."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, Throttled, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import need_every_instance
from omni.errors import RateLimited
from registry.api.trial_serializers import (
    DryRunRequestSerializer,
    TestRequestSerializer,
    TestResultsSerializer,
    TrialSerializer,
)
from registry.models import Run, Workflow
from registry.trials import elsewhere
from registry.trials import requests as trial_requests
from registry.versions import drafts


class TrialActions:
    """Routes below one workflow, for `WorkflowViewSet`; posting needs the scope `workflows`."""

    def handle_exception(self, exc: Exception) -> Response:
        """429 for a caller who has as many trials as one may have; publishing asks for one too."""
        if isinstance(exc, RateLimited):
            exc = Throttled(exc.retry_after, exc.message)
        return super().handle_exception(exc)  # type: ignore[misc]

    @extend_schema(request=DryRunRequestSerializer, responses=TrialSerializer)
    @action(detail=True, methods=["post"], url_path="dry-run", url_name="dry-run")
    def dry_run(self, request: Request, slug: str) -> Response:
        """Try the workflow on an event: reads are real, nothing is stored or sent."""
        workflow, wish, who = self.get_object(), self.body(DryRunRequestSerializer), principal(
            request)
        text = text_of(workflow, wish)
        event = wish.pop("event")
        found = elsewhere.try_event(workflow, text, event, who, **wish)
        if found is None:
            raise NotFound(f"there is no event {event}")
        return Response(found.as_dict())

    @extend_schema(request=TestRequestSerializer, responses=TestResultsSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, slug: str) -> Response:
        """Run the `tests` of the draft. They may name events of every instance."""
        need_every_instance(principal(request))
        text = text_of(self.get_object(), self.body(TestRequestSerializer))
        results = elsewhere.run_tests(text, principal(request))
        return Response({"passed": all(result.passed for result in results),
                         "results": [result.as_dict() for result in results]})

    @extend_schema(responses=OpenApiTypes.OBJECT, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def pins(self, request: Request, slug: str) -> Response:
        """What trials take for steps: {id or path of a step: its output}."""
        need_every_instance(principal(request))
        return Response(self.get_object().pins)

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    @pins.mapping.put
    def set_pins(self, request: Request, slug: str) -> Response:
        """Replace the pins. `{"from_run": id}` pins what that run gave; others stand over it."""
        workflow, actor = self.get_object(), self.writer()
        wish = request.data
        if not isinstance(wish, dict):
            raise ValidationError("a mapping {step: output} is needed")
        pins = dict(wish)
        if isinstance(pins.get("from_run"), int):
            run = missing.numbered(Run.objects.visible_to(principal(request)).select_related(
                "workflow").filter(workflow=workflow), pins.pop("from_run"),
                what=f"run of '{workflow.slug}' with the number")
            pins = {**trial_requests.pins_of_run(run), **pins}
        return Response(drafts.save_pins(workflow, pins, actor=actor).pins)


def text_of(workflow: Workflow, wish: dict[str, Any]) -> str:
    """The text a request means; takes `text` and `version` out of it."""
    number = wish.pop("version", None)
    if number is not None:
        return missing.numbered(workflow.versions, number, field="number",
                                what=f"version of '{workflow.slug}' with the number").text
    return wish.pop("text", workflow.draft)
