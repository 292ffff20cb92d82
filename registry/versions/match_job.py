"""What two versions match, asked of the process for trials: it routes thousands of events twice."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from connections.access import Principal
from connections.models import Instance
from registry.models import Workflow, WorkflowVersion
from registry.trials import elsewhere
from registry.trials.tracing import json_of
from registry.trials.watching import Watch
from registry.versions import match_diff
from registry.versions.match_diff import Example, MatchDiff


def compare(workflow: Workflow, before: WorkflowVersion, after: WorkflowVersion, *,
            who: Principal, instance: Instance | None, days: int, most: int) -> MatchDiff:
    """`match_diff.compare`, elsewhere. Raises what that and `elsewhere.try_event` raise."""
    if elsewhere.is_here():
        return match_diff.compare(workflow, before, after, who=who, instance=instance, days=days,
                                  most=most)
    facts = elsewhere.asked("matches", after.text, who, {
        "before": before.number, "after": after.number, "days": days, "most": most,
        "instance": None if instance is None else instance.pk}, workflow.slug)
    for name in ("gained_examples", "lost_examples"):
        facts[name] = [Example(**{**one, "occurred_at": datetime.fromisoformat(
            one["occurred_at"])}) for one in facts[name]]
    return MatchDiff(**{**facts, "since": datetime.fromisoformat(facts["since"])})


def do(slug: str, text: str, who: Principal, options: dict[str, Any], watch: Watch) -> Any:
    """The work of the job. after: 0 is a text that is not stored."""
    workflow = Workflow.objects.get(slug=slug)
    number, pk = options["after"], options["instance"]
    after = workflow.versions.get(number=number) if number else match_diff.trial(workflow, text)
    return json_of(asdict(match_diff.compare(
        workflow, workflow.versions.get(number=options["before"]), after, who=who,
        instance=None if pk is None else Instance.objects.visible_to(who).get(pk=pk),
        days=options["days"], most=options["most"], watch=watch)))
