"""Which stored events another version of a workflow would match, asked of matching itself.

Both versions are routed over the same events beside every workflow with the same claim, so that
priorities and claims count. Labels, lists and tags are as they are today; `now` is the moment the
event came in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connections.access import Principal
from connections.models import Instance
from events.models import Event
from events.people import known_by
from registry.engine.route import matching
from registry.engine.run import scope
from registry.models import Workflow, WorkflowVersion
from registry.trials.watching import UNWATCHED, Watch

DAYS, MOST_DAYS = 7, 366
EVENTS, MOST_EVENTS = 10_000, 50_000
EXAMPLES = 20
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Example:
    """One event that would be routed in another way. why: the clause that says no on one side."""

    event: int
    instance: str
    event_type: str
    occurred_at: datetime
    why: str


@dataclass(slots=True)
class MatchDiff:
    """What two versions come to over the same events.

    is_bound: False when no binding switches the workflow on; then it was asked on every instance,
    with its own defaults. examined: events asked. is_cut: there were more in these days, older.
    gained, lost: how many only the later, only the earlier version matches. others: other
    workflows -> by how many matches they change, because this one takes or leaves a claim.
    """

    since: datetime
    is_bound: bool
    instances: list[str]
    examined: int = 0
    is_cut: bool = False
    matched_before: int = 0
    matched_after: int = 0
    gained: int = 0
    lost: int = 0
    gained_examples: list[Example] = field(default_factory=list)
    lost_examples: list[Example] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)


def compare(workflow: Workflow, before: WorkflowVersion, after: WorkflowVersion, *,
            who: Principal, instance: Instance | None = None, days: int = DAYS,
            most: int = EVENTS, watch: Watch = UNWATCHED) -> MatchDiff:
    """Route the newest `most` events of the last `days` that `who` may see by both versions.

    after: may be a text that is not stored (`trial`). instance: only its events. watch: who may
    end it.
    Raises InvalidWorkflow when one of the texts does not compile any more.
    """
    versions = (before, after)
    rivals = frozenset(matching.compiled(version.pk, version.text).claim
                       for version in versions) - {None}
    tables = [matching.Table((), trial=version, rivals=rivals) for version in versions]
    places = Instance.objects.visible_to(who).active()
    if instance is not None:
        places = places.filter(pk=instance.pk)
    places = {place.pk: place for place in places if any(
        effective.workflow_id == workflow.pk
        for effective in tables[1].switched_on(place.pk, place.provider))}
    found = MatchDiff(since=timezone.now() - timedelta(days=days),
                      is_bound=workflow.archived_at is None
                      and workflow.bindings.filter(enabled=True).exists(),
                      instances=sorted(place.slug for place in places.values()))
    people: dict[tuple[int | None, int], scope.Lazy] = {}
    for event in known_by.showing(_events(found, places, most), who):
        watch.look()
        event.instance = places[event.instance_id]
        if not any(_asks(on, workflow, event) for on in tables):
            continue
        values = scope.of_event(event)
        values["now"] = event.received_at
        person = event.contact_id, event.instance_id
        if person not in people:
            people[person] = scope.contact_view(event.contact, event.instance_id)
        values["contact"] = people[person]
        _count(found, workflow, event,
               *(matching.match(event, on, values=values) for on in tables))
    return found


def _asks(on: matching.Table, workflow: Workflow, event: Event) -> bool:
    return any(effective.workflow_id == workflow.pk for effective in on.candidates(event))


def trial(workflow: Workflow, text: str) -> WorkflowVersion:
    """A text as a version to compare with; it is not stored."""
    return WorkflowVersion(workflow=workflow, number=0, text=text)


def _events(found: MatchDiff, places: dict[int, Instance], most: int) -> Iterator[Event]:
    rows = (Event.objects.filter(instance_id__in=places, received_at__gte=found.since)
            .newest_first().select_related("conversation__merged_into", "contact__merged_into")
            .prefetch_related("attachments"))
    for event in rows[:most + 1].iterator(chunk_size=_CHUNK):
        if found.examined == most:
            found.is_cut = True
            return
        found.examined += 1
        event.take_kept()
        yield event


def _count(found: MatchDiff, workflow: Workflow, event: Event, before: matching.Decision,
           after: matching.Decision) -> None:
    old, new = _verdicts(before), _verdicts(after)
    was, will = ((said.get(workflow.slug) or {}).get("result") == "matched" for said in (old, new))
    found.matched_before += was
    found.matched_after += will
    if was != will:
        refused = before if will else after
        examples = found.gained_examples if will else found.lost_examples
        found.gained += will
        found.lost += was
        if len(examples) < EXAMPLES:
            examples.append(Example(event.pk, event.instance.slug, event.event_type,
                                    event.occurred_at, _why(refused, workflow, event)))
    for slug in (old.keys() | new.keys()) - {workflow.slug}:
        change = _matched(new, slug) - _matched(old, slug)
        if change:
            found.others[slug] = found.others.get(slug, 0) + change


def _verdicts(decision: matching.Decision) -> dict[str, dict[str, Any]]:
    return {verdict["workflow"]: verdict for verdict in decision.considered}


def _matched(verdicts: dict[str, dict[str, Any]], slug: str) -> int:
    return int(slug in verdicts and verdicts[slug]["result"] == "matched")


def _why(decision: matching.Decision, workflow: Workflow, event: Event) -> str:
    verdict = _verdicts(decision).get(workflow.slug)
    return verdict["clause"] if verdict else f"no trigger takes {event.event_type}"
