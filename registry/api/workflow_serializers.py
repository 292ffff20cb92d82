"""Workflows, their texts and starts as the REST API shows and takes them."""

from rest_framework import serializers

from omni.api import StrictFieldsMixin
from registry.models import Workflow

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
