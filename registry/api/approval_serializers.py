"""Approvals as the REST API shows them, and the answers it takes."""

from rest_framework import serializers

from events.api.serializers import InstanceSlugField
from omni.api import StrictFieldsMixin
from registry.engine.waits.approvals import DECISIONS
from registry.models import Approval


class ApprovalSerializer(serializers.ModelSerializer):
    """A question to people. show: exactly what is approved; edited: what was made of it.

    answered_by is empty when the deadline decided.
    """

    instance = InstanceSlugField()
    workflow = serializers.CharField(source="run.workflow.slug", read_only=True)
    show = serializers.JSONField(read_only=True, allow_null=True)
    edited = serializers.JSONField(read_only=True, allow_null=True)
    of = serializers.ListField(child=serializers.CharField(), read_only=True)
    via = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Approval
        fields = ["id", "instance", "event", "run", "workflow", "ask", "show", "of", "via",
                  "state", "deadline", "on_timeout", "edited", "comment", "answered_by",
                  "answered_at", "created_at"]
        read_only_fields = fields


class AnswerSerializer(StrictFieldsMixin, serializers.Serializer):
    """edited: the text to go on with instead of what was shown."""

    decision = serializers.ChoiceField(choices=list(DECISIONS))
    edited = serializers.JSONField(required=False, allow_null=True, default=None)
    comment = serializers.CharField(required=False, allow_blank=True, default="",
                                    max_length=4000)
