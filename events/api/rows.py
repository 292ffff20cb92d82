"""REST: reading the event store. Lists are pages by id, newest first, and cost a fixed number of
statements.
"""

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, conflict_when
from events.api.filters import (
    ActionFilter,
    ContactFilter,
    ConversationFilter,
    EventFilter,
    OutboxFilter,
    RawFilter,
)
from events.api.replay import ReplayMixin
from events.api.serializers import (
    ContactSerializer,
    ConversationSerializer,
    EventActionSerializer,
    EventSerializer,
    OutboxSerializer,
    OutcomesSerializer,
    RawSerializer,
    RawSummarySerializer,
    SplitSerializer,
)
from events.models import (
    Contact,
    Conversation,
    Event,
    EventAction,
    Handle,
    OutboxMessage,
    RawPayload,
)
from events.people import known_by
from events.store import archive, merging
from omni.api import StrictFiltersMixin


class StoreViewSet(StrictFiltersMixin, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Rows of the event store: read, never written here."""

    scope, write_scope = "read", "send"


class EventViewSet(ReplayMixin, StoreViewSet):
    """What happened, in provider-neutral words."""

    queryset = (Event.objects.select_related("instance").defer(*INSTANCE_UNREAD)
                .prefetch_related("attachments"))
    serializer_class = EventSerializer
    filterset_class = EventFilter

    @extend_schema(responses=RawSerializer)
    @action(detail=True, methods=["get"])
    def raw(self, request: Request, pk: str) -> Response:
        """The delivery this event came with, byte for byte (base64)."""
        return Response(RawSerializer(self.raw_payload()).data)

    @extend_schema(responses=OutcomesSerializer)
    @action(detail=True, methods=["get"])
    def actions(self, request: Request, pk: str) -> Response:
        """What every step of every run of this event came to, all of it, in order."""
        outcomes = (self.get_object().actions.in_order().select_related("instance")
                    .defer(*INSTANCE_UNREAD))
        return Response(OutcomesSerializer({"results": outcomes}).data)

    def raw_payload(self) -> RawPayload:
        event = self.get_object()
        if event.raw_id is None:
            raise NotFound("this event came with no delivery: it was made by the system")
        try:
            return archive.read(event.raw_id)
        except RawPayload.DoesNotExist:
            raise NotFound("the delivery of this event is no longer kept") from None


class RawPayloadViewSet(ReplayMixin, StoreViewSet):
    """Deliveries as they arrived. `?dead_letters=true`: those that became no event, and why."""

    queryset = RawPayload.objects.select_related("instance").defer(*INSTANCE_UNREAD)
    filterset_class = RawFilter

    def get_queryset(self) -> QuerySet[RawPayload]:
        rows = super().get_queryset()
        return rows.defer("body", *INSTANCE_UNREAD) if self.action == "list" else rows

    def get_serializer_class(self) -> type[RawSummarySerializer]:
        return RawSummarySerializer if self.action == "list" else RawSerializer

    def raw_payload(self) -> RawPayload:
        return self.get_object()


class EventActionViewSet(StoreViewSet):
    """Outcomes of steps, over all events."""

    queryset = EventAction.objects.select_related("instance").defer(*INSTANCE_UNREAD)
    serializer_class = EventActionSerializer
    filterset_class = ActionFilter


class ConversationViewSet(StoreViewSet):
    """Where events happen."""

    queryset = (Conversation.objects.select_related("instance").defer(*INSTANCE_UNREAD)
                .prefetch_related("aliases"))
    serializer_class = ConversationSerializer
    filterset_class = ConversationFilter

    def get_queryset(self) -> QuerySet[Conversation]:
        """Lists hold each place once; a row that was merged is read by its number."""
        rows = super().get_queryset()
        return rows.kept() if self.action == "list" else rows

    @extend_schema(request=SplitSerializer, responses=ConversationSerializer)
    @action(detail=True, methods=["post"], write_scope="send")
    def split(self, request: Request, pk: str) -> Response:
        """Undo the merge of a conversation and of its contact; 409 when it is not merged.

        With `ref`, one of its aliases, that name is taken from it and becomes a conversation of
        its own. Events that name both addresses leave the two apart from then on.
        """
        conversation, wish = self.get_object(), SplitSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        with conflict_when("not_merged"):
            merging.split(conversation, actor=principal(request).name, **wish.validated_data)
        return Response(self.get_serializer(self.get_object()).data)


class ContactViewSet(StoreViewSet):
    """People, with their handles."""

    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilter

    def get_queryset(self) -> QuerySet[Contact]:
        rows = super().get_queryset()
        handles = Handle.objects.visible_to(principal(self.request)).order_by("pk")
        return (rows.kept() if self.action == "list" else rows).prefetch_related(
            Prefetch("handles", handles))

    def paginate_queryset(self, queryset: QuerySet[Contact]) -> list[Contact]:
        page = super().paginate_queryset(queryset)
        known_by.show(page, principal(self.request))
        return page

    def get_object(self) -> Contact:
        contact = super().get_object()
        known_by.show([contact], principal(self.request))
        return contact


class OutboxViewSet(StoreViewSet):
    """What went out, and what came of it."""

    queryset = OutboxMessage.objects.select_related("instance").defer(*INSTANCE_UNREAD)
    serializer_class = OutboxSerializer
    filterset_class = OutboxFilter
