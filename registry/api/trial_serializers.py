"""Dry runs, back-tests and tests of workflows as the REST API takes and shows them."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from omni.api import StrictFieldsMixin
from registry.api.workflow_serializers import LONG_TEXT, DocumentProblemSerializer
from registry.models import TrialJob
from registry.trials import backtest


class _OfTextSerializer(StrictFieldsMixin, serializers.Serializer):
    """Which text is meant: `text`, else the published `version`, else the draft."""

    text = serializers.CharField(**LONG_TEXT, required=False, help_text="A YAML document.")
    version = serializers.IntegerField(min_value=1, max_value=2 ** 31 - 1, required=False,
                                       help_text="A published version. Neither: the draft.")

    def validate(self, wish: dict[str, Any]) -> dict[str, Any]:
        if "text" in wish and "version" in wish:
            raise serializers.ValidationError("give text or version, not both")
        return wish


class TestRequestSerializer(_OfTextSerializer):
    """Whose `tests` are run."""

    __test__ = False


class DryRunRequestSerializer(_OfTextSerializer):
    """What is tried."""

    event = serializers.JSONField(help_text="A stored event's id, the name of a fixture, or fields "
                                            "over a fixture, as in `tests`.")
    inputs = serializers.DictField(required=False, help_text="Over those of the binding.")
    pins = serializers.DictField(required=False, help_text="{step: output}, over the stored ones.")
    answers = serializers.DictField(required=False, help_text="{step: output} of waits and "
                                                              "approvals.")
    ask = serializers.BooleanField(default=False, help_text="Let decide steps ask.")
    anyway = serializers.BooleanField(default=False, help_text="Also when it would not match.")
    until = serializers.CharField(max_length=255, required=False, help_text="Stop before this "
                                                                            "step.")
    now = serializers.DateTimeField(required=False, help_text="The time it is.")


class TrialSerializer(serializers.Serializer):
    """What a dry run came to; nothing was stored and nothing was sent."""

    workflow = serializers.CharField()
    event = serializers.IntegerField(allow_null=True, help_text="null: it was not a stored one.")
    matched = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why it does not match.")
    gates = serializers.DictField(help_text="The key of each gate.")
    path = serializers.ListField(child=serializers.DictField(), help_text="Steps, in order.")
    expressions = serializers.ListField(child=serializers.DictField(), help_text="Every value.")
    sends = serializers.ListField(child=serializers.DictField(), help_text="What would go out.")
    calls = serializers.ListField(child=serializers.DictField(), help_text="Calls not followed.")
    state = serializers.CharField(help_text="done, ignored, failed, waits, stopped, or empty.")
    end = serializers.CharField(help_text="Why it ended.")
    code = serializers.CharField()
    waits_for = serializers.ListField(child=serializers.DictField())
    output = serializers.DictField(help_text="vars at the end.")
    problems = serializers.ListField(child=serializers.CharField())
    took_ms = serializers.FloatField()


class TestResultSerializer(serializers.Serializer):
    """One test of a document."""

    __test__ = False

    name = serializers.CharField()
    line = serializers.IntegerField()
    passed = serializers.BooleanField()
    failures = DocumentProblemSerializer(many=True)
    trial = TrialSerializer(allow_null=True)


class TestResultsSerializer(serializers.Serializer):
    __test__ = False

    passed = serializers.BooleanField(help_text="Every test passed.")
    results = TestResultSerializer(many=True)


class BacktestRequestSerializer(_OfTextSerializer):
    """Which stored events are looked at, by the time they were received."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    instance = serializers.CharField(max_length=63, required=False, help_text="A slug; absent: "
                                     "every instance you may see.")
    inputs = serializers.DictField(required=False, help_text="Over the defaults.")
    most = serializers.IntegerField(min_value=1, max_value=backtest.MOST, default=backtest.MOST)
    run = serializers.BooleanField(default=False, help_text="Also try runs out.")
    trials = serializers.IntegerField(min_value=1, max_value=backtest.MOST_TRIALS,
                                      default=backtest.EXAMPLES)


class ReportSerializer(serializers.Serializer):
    """What a workflow would have made of events."""

    workflow = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    events = serializers.IntegerField()
    truncated = serializers.BooleanField(help_text="There were more than `most`.")
    matched = serializers.IntegerField()
    not_matched = serializers.DictField(child=serializers.IntegerField(), help_text="By clause.")
    gates = serializers.DictField(child=serializers.IntegerField(), help_text="By verdict.")
    runs = serializers.IntegerField()
    tried = serializers.IntegerField()
    trials = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    sends = serializers.IntegerField()
    examples = serializers.DictField(child=serializers.ListField())


class BacktestSerializer(serializers.ModelSerializer):
    """A back-test that was asked for. reason: why it failed, or who canceled it. problems: of its
    document. report: when it is done.
    """

    events_done = serializers.IntegerField(source="done")
    events_total = serializers.IntegerField(source="total", help_text="0 until it is counted.")
    problems = serializers.SerializerMethodField()
    report = serializers.SerializerMethodField()

    class Meta:
        model = TrialJob
        fields = ["id", "workflow", "state", "reason", "problems", "events_done", "events_total",
                  "report", "created_at", "started_at", "ended_at"]
        read_only_fields = fields

    @extend_schema_field(DocumentProblemSerializer(many=True))
    def get_problems(self, job: TrialJob) -> list[dict[str, Any]]:
        return json.loads(job.error).get("problems", []) if job.error else []

    @extend_schema_field(ReportSerializer(allow_null=True))
    def get_report(self, job: TrialJob) -> dict[str, Any] | None:
        return json.loads(job.result) if job.result else None
