"""REST: questions to people that hold runs up, and their answers.

`registry.engine.waits.approvals` decides.
"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, VisibleRows, conflict_when
from omni.api import StrictFiltersMixin
from registry.api.approval_serializers import AnswerSerializer, ApprovalSerializer
from registry.api.filters import ApprovalFilter
from registry.engine.waits import approvals
from registry.models import Approval


def questions() -> QuerySet[Approval]:
    """Approvals with the names of their instance and workflow, in one statement."""
    return Approval.objects.select_related("instance", "run__workflow").defer(
        *INSTANCE_UNREAD, "run__workflow__draft")


class ApprovalViewSet(StrictFiltersMixin, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Questions to people. A run waits for the answer, or for the deadline."""

    queryset = questions()
    serializer_class = ApprovalSerializer
    filterset_class = ApprovalFilter
    scope, write_scope = "read", "send"

    @extend_schema(request=AnswerSerializer, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Approve or reject. The first answer counts; 409 with code `stale` when it came too late.
        """
        row = self.get_object()
        need_asked(row, request)
        wish = AnswerSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        facts = dict(wish.validated_data)
        if isinstance(row.show, str) and not isinstance(facts["edited"], str | None):
            raise ValidationError({"edited": "what is approved is a text, so this must be one"})
        with conflict_when("stale"):
            approvals.answer(row, facts.pop("decision"), actor=principal(request).name, **facts)
        return Response(ApprovalSerializer(questions().get(pk=row.pk)).data)


def need_asked(row: Approval, request: Any) -> None:
    """Raises PermissionDenied when the caller is not among those who are asked."""
    who = principal(request)
    if not approvals.for_person(Approval.objects.filter(pk=row.pk), who,
                                user=request.user).exists():
        asked = ", ".join(row.of) or "superusers"
        raise PermissionDenied(f"approval {row.pk} asks {asked}; {who.name} is not among them")
