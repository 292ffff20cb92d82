"""Workflows, bindings, runs, approvals and traces as the REST API shows and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connections import library
from events.api.serializers import (
    EventActionSerializer,
    EventSerializer,
    InstanceSlugField,
    OutboxSerializer,
)
from omni.api import StrictFieldsMixin
from omni.errors import UnknownProvider
from registry.engine.waits.approvals import DECISIONS
from registry.engine.waits.reruns import MODES
from registry.models import (
    Approval,
    Binding,
    RoutingDecision,
    Run,
    Wait,
    Workflow,
    WorkflowVersion,
)

LONG_TEXT = {"trim_whitespace": False, "max_length": 262_144}


class WorkflowSummarySerializer(serializers.ModelSerializer):
    """A workflow without its text. latest_version: null while nothing is published."""

    latest_version = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = Workflow
        fields = ["slug", "name", "description", "revision", "latest_version", "archived_at",
                  "created_at", "updated_at"]
        read_only_fields = fields


class WorkflowSerializer(WorkflowSummarySerializer):
    """A workflow with its draft, the text people edit."""

    class Meta(WorkflowSummarySerializer.Meta):
        fields = [*WorkflowSummarySerializer.Meta.fields, "draft"]
        read_only_fields = fields


class TextSerializer(StrictFieldsMixin, serializers.Serializer):
    """A YAML document."""

    text = serializers.CharField(**LONG_TEXT)


class DraftSerializer(TextSerializer):
    """A new text for a workflow. base_revision: the revision it was made from; 409 when another
    one is stored by now. The header If-Match says the same.
    """

    base_revision = serializers.IntegerField(min_value=0, max_value=2 ** 31 - 1, required=False)


class NoteSerializer(StrictFieldsMixin, serializers.Serializer):
    """note: for the version list. base_revision: as for a draft."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")
    base_revision = serializers.IntegerField(min_value=0, max_value=2 ** 31 - 1, required=False)
    skip_tests = serializers.BooleanField(default=False, help_text="Publish although tests fail.")


class StartSerializer(StrictFieldsMixin, serializers.Serializer):
    """Where a workflow is started by hand, and with what. inputs: win over those of bindings."""

    instance = serializers.CharField(max_length=63, help_text="Slug.")
    inputs = serializers.DictField(required=False)
    conversation = serializers.IntegerField(
        min_value=1, max_value=2 ** 63 - 1, required=False, allow_null=True, default=None,
        help_text="The conversation it is about, by number.")


class StartedSerializer(serializers.Serializer):
    event = serializers.IntegerField(help_text="The event that wakes the workflow; its trace "
                                     "tells what came of it.")


class PublishSerializer(NoteSerializer):
    """text: stored as the draft first; nothing is stored when it cannot be published."""

    text = serializers.CharField(**LONG_TEXT, required=False)


class RollBackSerializer(NoteSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2 ** 31 - 1)


class DocumentProblemSerializer(serializers.Serializer):
    """One thing wrong with a document, and where."""

    line = serializers.IntegerField()
    column = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()
    suggestion = serializers.CharField(allow_blank=True)
    severity = serializers.CharField(help_text="error or warning.")


class ValidationSerializer(serializers.Serializer):
    valid = serializers.BooleanField(help_text="No problem of severity error.")
    problems = DocumentProblemSerializer(many=True)


class WarningSerializer(DocumentProblemSerializer):
    """Doubtful, not refused. workflow: the id of the document it stands in."""

    workflow = serializers.CharField()


class WorkflowsSerializer(serializers.Serializer):
    """warnings: what is doubtful in the texts, also beside the other workflows."""

    results = WorkflowSerializer(many=True)
    warnings = WarningSerializer(many=True)


class StaleSerializer(serializers.Serializer):
    """A problem of code `stale`: somebody saved in between. Both sides are texts, or the data of
    a binding; null where there is none.
    """

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    instance = serializers.CharField()
    stored = serializers.JSONField(allow_null=True, help_text="What is there now.")
    yours = serializers.JSONField(allow_null=True, help_text="What was to be stored.")
    diff = serializers.CharField(allow_blank=True, help_text="From stored to yours, unified.")


class VersionSummarySerializer(serializers.ModelSerializer):
    """One published version without its text; it never changes."""

    workflow = serializers.CharField(source="workflow.slug", read_only=True)
    author = serializers.CharField(source="author.username", read_only=True, allow_null=True,
                                   default=None)

    class Meta:
        model = WorkflowVersion
        fields = ["workflow", "number", "sha256", "author", "note", "published_at"]
        read_only_fields = fields


class VersionSerializer(VersionSummarySerializer):
    class Meta(VersionSummarySerializer.Meta):
        fields = [*VersionSummarySerializer.Meta.fields, "text"]
        read_only_fields = fields


class PublishedSerializer(VersionSerializer):
    """A version that was just published. warnings: what is doubtful in it."""

    warnings = WarningSerializer(many=True)

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "warnings"]
        read_only_fields = fields


class BindingScopeSerializer(StrictFieldsMixin, serializers.Serializer):
    """Exactly one of instance (slug), provider (name) and global (true)."""

    instance = serializers.CharField(max_length=63, required=False)
    provider = serializers.CharField(max_length=32, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        everywhere = serializers.BooleanField(required=False)  # `global` is a Python keyword
        return {**super().get_fields(), "global": everywhere}

    def validate(self, scope: dict[str, Any]) -> dict[str, Any]:
        if len(scope) != 1 or scope.get("global") is False:
            raise serializers.ValidationError(
                "give exactly one of instance (slug), provider (name) and global (true)")
        return scope

    def validate_provider(self, provider: str) -> str:
        try:
            library.get(provider)
        except UnknownProvider as exc:
            raise serializers.ValidationError(exc.message) from exc
        return provider


class BindingRequestSerializer(StrictFieldsMixin, serializers.Serializer):
    """Where a workflow is switched on. version: a published number; null follows the latest.

    A field that is left out keeps its value where the binding is there already; a new one is
    enabled, without inputs, with the document's priority, and follows the latest.
    """

    workflow = serializers.CharField(max_length=64, help_text="Its id.")
    scope = BindingScopeSerializer()
    enabled = serializers.BooleanField(required=False)
    inputs = serializers.DictField(
        required=False, help_text="All of them: a name that is left out has no value here.")
    priority = serializers.IntegerField(min_value=0, max_value=999, required=False,
                                        allow_null=True)
    version = serializers.IntegerField(min_value=1, max_value=2 ** 31 - 1, required=False,
                                       allow_null=True)
    base_revision = serializers.IntegerField(
        min_value=0, max_value=2 ** 31 - 1, required=False,
        help_text="The binding's revision this was made from, 0 for none; 409 when it is another.")


class BindingSerializer(serializers.ModelSerializer):
    workflow = serializers.CharField(source="workflow.slug", read_only=True)
    scope = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="version.number", read_only=True, allow_null=True,
                                       default=None)
    inputs = serializers.DictField(read_only=True)

    class Meta:
        model = Binding
        fields = ["id", "workflow", "scope", "enabled", "inputs", "priority", "version",
                  "revision", "updated_at"]
        read_only_fields = fields

    @extend_schema_field(BindingScopeSerializer)
    def get_scope(self, binding: Binding) -> dict[str, Any]:
        if binding.scope == "instance":
            return {"instance": binding.instance.slug}
        if binding.scope == "provider":
            return {"provider": binding.provider}
        return {"global": True}


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
