"""REST: giving an archived delivery to its adapter again; nothing changes unless asked for."""

import dataclasses
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connections.envelope import EventDraft
from connections.rest.authentication import principal
from events.models import RawPayload
from events.store.replay import replay
from omni.api import StrictFieldsMixin
from omni.audit import note


class ReplayRequestSerializer(StrictFieldsMixin, serializers.Serializer):
    """dry_run: only show what the mapping makes of it today. allow_effects: let workflows of the
    events that are new send messages.
    """

    dry_run = serializers.BooleanField(default=True)
    allow_effects = serializers.BooleanField(default=False)


class ReplayedSerializer(serializers.Serializer):
    dry_run = serializers.BooleanField()
    drafts = serializers.ListField(child=serializers.DictField(),
                                   help_text="Events as the mapping makes them today.")
    new = serializers.ListField(child=serializers.CharField(),
                                help_text="Dedup keys of events not stored before.")
    changed = serializers.ListField(child=serializers.CharField(),
                                    help_text="Dedup keys of events that read differently today.")
    stored = serializers.ListField(child=serializers.IntegerField(),
                                   help_text="Ids of events this replay added.")
    error = serializers.CharField(allow_blank=True, help_text="Why nothing could be mapped.")


class ReplayMixin:
    """Adds `replay/`; the view says which delivery by `raw_payload`."""

    def raw_payload(self) -> RawPayload:
        raise NotImplementedError(f"{type(self).__name__} must say which delivery is meant")

    @extend_schema(request=ReplayRequestSerializer, responses=ReplayedSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Map an archived delivery again; a dry run unless `dry_run` is false."""
        wish = ReplayRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        raw = self.raw_payload()
        result = replay(raw, **wish.validated_data)
        if not wish.validated_data["dry_run"]:
            note(principal(request).name, "delivery.replayed", f"raw {raw.pk}",
                 **wish.validated_data)
        return Response({
            "dry_run": wish.validated_data["dry_run"], "new": result.new,
            "changed": result.changed, "stored": result.stored, "error": result.error or "",
            "drafts": [_shown(draft) for draft in result.drafts]})


def _shown(draft: EventDraft) -> dict[str, Any]:
    """A draft as data, without what opens its encrypted files."""
    data = dataclasses.asdict(draft)
    for attachment in data["attachments"]:
        del attachment["encryption"]
    return data
