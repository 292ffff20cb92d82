"""REST: everything that came of one event."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows
from events.models import Event, OutboxMessage
from registry.api.approvals import questions
from registry.api.run_serializers import TraceSerializer
from registry.api.runs import outcomes, runs
from registry.models import RoutingDecision, Wait


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
