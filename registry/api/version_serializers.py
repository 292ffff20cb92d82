"""Versions, their differences, canaries and effective views as the REST API shows and takes them.
"""

from typing import Any

from rest_framework import serializers

from omni.api import StrictFieldsMixin
from registry.api.workflow_serializers import DocumentProblemSerializer, WarningSerializer
from registry.models import WorkflowVersion
from registry.versions import match_diff

VERSION = {"min_value": 1, "max_value": 2 ** 31 - 1}


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


class DiffQuerySerializer(serializers.Serializer):
    """What to compare, and over which events."""

    before = serializers.IntegerField(**VERSION, required=False, help_text=(
        "A version; absent: the newest."))
    after = serializers.IntegerField(**VERSION, required=False, help_text=(
        "A version; absent: the draft."))
    days = serializers.IntegerField(min_value=1, max_value=match_diff.MOST_DAYS,
                                    default=match_diff.DAYS)
    events = serializers.IntegerField(min_value=1, max_value=match_diff.MOST_EVENTS,
                                      default=match_diff.EVENTS, help_text="The newest so many.")
    instance = serializers.CharField(required=False, max_length=63, help_text="Only its events.")


class ChangeSerializer(serializers.Serializer):
    at = serializers.CharField(help_text="A step's id or path, or the name of the part.")
    change = serializers.CharField(help_text="added, removed, changed or moved.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class StructureSerializer(serializers.Serializer):
    """What differs part by part; a step stands without the steps inside it."""

    settings = ChangeSerializer(many=True)
    inputs = ChangeSerializer(many=True)
    triggers = ChangeSerializer(many=True)
    gates = ChangeSerializer(many=True)
    steps = ChangeSerializer(many=True)


class ExampleSerializer(serializers.Serializer):
    event = serializers.IntegerField()
    instance = serializers.CharField()
    event_type = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    why = serializers.CharField(help_text="The clause that says no, of the version that does not "
                                          "match.")


class MatchDiffSerializer(serializers.Serializer):
    """Which of the examined events only one of the two versions matches."""

    since = serializers.DateTimeField()
    examined = serializers.IntegerField(help_text="Events that were asked, the newest ones.")
    is_cut = serializers.BooleanField(help_text="There were more since then, older ones.")
    is_bound = serializers.BooleanField(help_text=(
        "False: switched on nowhere, so it was asked on every instance with its own defaults."))
    instances = serializers.ListField(child=serializers.CharField())
    matched_before = serializers.IntegerField()
    matched_after = serializers.IntegerField()
    gained = serializers.IntegerField(help_text="Would match now.")
    lost = serializers.IntegerField(help_text="Would stop matching.")
    gained_examples = ExampleSerializer(many=True)
    lost_examples = ExampleSerializer(many=True)
    others = serializers.DictField(child=serializers.IntegerField(), help_text=(
        "Other workflows that would match more or fewer, because of a claim."))


class DiffSerializer(serializers.Serializer):
    """Two versions beside each other. after: null is the draft. matching: null when `problems`
    keep one of the texts from running.
    """

    workflow = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField(allow_null=True)
    text = serializers.CharField(allow_blank=True, help_text="A unified diff.")
    structure = StructureSerializer(allow_null=True)
    matching = MatchDiffSerializer(allow_null=True)
    problems = DocumentProblemSerializer(many=True)


class CanarySerializer(StrictFieldsMixin, serializers.Serializer):
    """A version to try on one instance: the newest, `version`, or the draft, published for it."""

    instance = serializers.CharField(max_length=63, help_text="Its slug.")
    version = serializers.IntegerField(**VERSION, required=False)
    draft = serializers.BooleanField(default=False)

    def validate(self, wish: dict[str, Any]) -> dict[str, Any]:
        if wish["draft"] and "version" in wish:
            raise serializers.ValidationError("give version or draft, not both")
        return wish


class PromoteSerializer(StrictFieldsMixin, serializers.Serializer):
    """version: absent, the one that is tried."""

    version = serializers.IntegerField(**VERSION, required=False)


class RepinSerializer(serializers.Serializer):
    """A binding that runs another version now; null follows the newest."""

    scope = serializers.CharField()
    instance = serializers.CharField(allow_blank=True)
    provider = serializers.CharField(allow_blank=True)
    change = serializers.CharField(help_text="made, pinned or ended.")
    before = serializers.IntegerField(allow_null=True)
    after = serializers.IntegerField(allow_null=True)


class RepinsSerializer(serializers.Serializer):
    """version: the one that is tried, or that all run now. bindings: what changed for it."""

    version = serializers.IntegerField()
    bindings = RepinSerializer(many=True)


class ValueSerializer(serializers.Serializer):
    value = serializers.JSONField(allow_null=True)
    origin = serializers.CharField(help_text=(
        "instance, provider or global: that binding; document: its default; newest: no pin; "
        "nowhere: no binding."))


class EffectiveSerializer(serializers.Serializer):
    """How a workflow stands on one instance, each value with where it comes from."""

    workflow = serializers.CharField()
    instance = serializers.CharField()
    provider = serializers.CharField()
    is_on = serializers.BooleanField()
    off_because = serializers.CharField(allow_blank=True)
    binding = serializers.IntegerField(allow_null=True, help_text="The narrowest one's id.")
    enabled = ValueSerializer()
    version = ValueSerializer()
    priority = ValueSerializer()
    claim = ValueSerializer()
    inputs = serializers.DictField(child=ValueSerializer())
    gates = serializers.DictField(child=ValueSerializer())
