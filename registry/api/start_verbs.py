"""REST: start a workflow by hand."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connections.models import Instance
from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import StrictJSONParser
from events.api.messages import IdempotencyMismatch, effect_key
from events.models import Conversation
from omni.errors import InvalidInput
from registry.api.workflow_serializers import StartedSerializer, StartSerializer
from registry.engine.starts import manual

IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER,
    description="1 to 200 printable characters. The same key with the same body starts nothing "
                "and answers as before; with another body it is refused (422).")


class StartVerbs:
    """Part of the view of workflows."""

    @extend_schema(request=StartSerializer, responses={202: StartedSerializer},
                   parameters=[IDEMPOTENCY])
    @action(detail=True, methods=["post"], write_scope="send",
            parser_classes=[StrictJSONParser])
    def run(self, request: Request, slug: str) -> Response:
        """Start a workflow by hand, on one instance; a worker runs it."""
        workflow, wish, who = self.get_object(), self.body(StartSerializer), principal(request)
        instance = missing.named(Instance.objects.visible_to(who), wish["instance"],
                                 what="instance")
        conversation = None
        if wish["conversation"] is not None:
            conversation = missing.numbered(
                Conversation.objects.filter(instance=instance), wish["conversation"],
                what=f"conversation of '{instance.slug}' with the number")
        try:
            event = manual.start(workflow, instance=instance, actor=who.name,
                                 inputs=wish.get("inputs"), conversation=conversation,
                                 key=effect_key(request, who))
        except InvalidInput as exc:
            if exc.code == "other_request":
                raise IdempotencyMismatch() from exc
            raise
        return Response({"event": event.pk}, status=202,
                        headers={"Location": f"/api/v1/events/{event.pk}/"})
