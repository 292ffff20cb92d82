"""Runs, what they wait for, and traces of events as the REST API shows and takes them."""

from rest_framework import serializers

from events.api.serializers import (
    EventActionSerializer,
    EventSerializer,
    InstanceSlugField,
    OutboxSerializer,
)
from omni.api import StrictFieldsMixin
from registry.api.approval_serializers import ApprovalSerializer
from registry.engine.starts.reruns import MODES
from registry.models import RoutingDecision, Run, Wait


class RunSerializer(serializers.ModelSerializer):
    """One workflow version at work on one event."""

    instance = InstanceSlugField()
    workflow = serializers.CharField(source="workflow.slug", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Run
        fields = ["id", "instance", "event", "workflow", "version", "replay_no", "inputs",
                  "state", "reason", "code", "priority", "slot_key", "available_at",
                  "step_path", "deaths", "deadline", "created_at", "started_at",
                  "ended_at"]
        read_only_fields = fields


class RerunSerializer(StrictFieldsMixin, serializers.Serializer):
    """mode: whole, from_failed, or the named steps (ids or paths). preview: only say what would
    happen again.
    """

    mode = serializers.ChoiceField(choices=list(MODES), default="whole")
    steps = serializers.ListField(child=serializers.CharField(max_length=255), default=list,
                                  max_length=200)
    preview = serializers.BooleanField(default=False)


class PlanSerializer(serializers.Serializer):
    """The steps whose effects would happen again, each with what it sent before."""

    again = serializers.ListField(child=serializers.DictField())


class WaitSerializer(serializers.ModelSerializer):
    """One thing a run waits for, or waited for. wake_at: when it is over in any case."""

    class Meta:
        model = Wait
        fields = ["id", "run", "path", "iteration", "kind", "state", "event_types", "wake_at",
                  "created_at", "ended_at"]
        read_only_fields = fields


class RoutingDecisionSerializer(serializers.ModelSerializer):
    """Why workflows ran or did not."""

    class Meta:
        model = RoutingDecision
        fields = ["matched", "reason", "considered", "decided_at"]
        read_only_fields = fields


class TraceSerializer(serializers.Serializer):
    """An event with everything that came of it. routing_decision: null until it was routed."""

    event = EventSerializer()
    routing_decision = RoutingDecisionSerializer(allow_null=True)
    runs = RunSerializer(many=True)
    waits = WaitSerializer(many=True)
    approvals = ApprovalSerializer(many=True)
    actions = EventActionSerializer(many=True)
    outbox = OutboxSerializer(many=True)
