"""What the page of one event shows below its columns, in a fixed number of queries."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Q

from events.models import Attachment, Event, EventAction, MessageState, OutboxMessage, RawPayload
from omni.admin.pages import pretty

STEPS_MOST = 500  # steps shown; a run with more has its own page


@dataclass(slots=True)
class Step:
    """One outcome row with its data ready to show."""

    row: EventAction
    given: str
    made: str


@dataclass(frozen=True, slots=True)
class WaitRow:
    """One thing a run waits for, with the question when it is an approval; see registry.Wait."""

    kind: str
    path: str
    iteration: str
    state: str
    event_types: list[str]
    wake_at: datetime | None
    approval_id: int | None
    ask: str | None
    answer: str | None
    answered_by: str | None


_OF_WAIT = ("kind", "path", "iteration", "state", "event_types", "wake_at", "approval__id",
            "approval__ask", "approval__state", "approval__answered_by")  # in WaitRow's order


@dataclass(slots=True)
class RunTrace:
    """One run (registry.Run) with its steps, its waits and what it sent, in order."""

    run: Any
    steps: list[Step] = field(default_factory=list)
    waits: list[WaitRow] = field(default_factory=list)
    sends: list[OutboxMessage] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """decision: registry.RoutingDecision or None. sends: those that belong to no run shown."""

    decision: Any
    runs: list[RunTrace]
    sends: list[OutboxMessage]
    attachments: list[Attachment]
    raw: RawPayload | None
    state: MessageState | None
    reactions: str = ""
    tally: str = ""
    is_cut: bool = False


def trace(event: Event) -> Trace:
    """Eight queries at most, however much happened."""
    runs = {run.pk: RunTrace(run) for run in
            event.runs.select_related("workflow", "version").defer(
                "workflow__draft", "version__text", "version__compiled").order_by("id")}
    steps = list(EventAction.objects.filter(event=event).in_order()[:STEPS_MOST + 1])
    for row in steps[:STEPS_MOST]:
        if row.run_id in runs:
            runs[row.run_id].steps.append(step(row))
    for run_id, wait in waits_of(event.runs.all()):
        runs[run_id].waits.append(wait)
    loose = []
    for row in _sends(event, list(runs)):
        runs[row.run_id].sends.append(row) if row.run_id in runs else loose.append(row)
    state = _state(event)
    return Trace(
        decision=_decision(event), runs=list(runs.values()), sends=loose,
        attachments=list(event.attachments.order_by("position")), raw=_raw(event), state=state,
        reactions=pretty(state.reactions) if state else "",
        tally=pretty(state.tally) if state else "", is_cut=len(steps) > STEPS_MOST)


def step(row: EventAction) -> Step:
    return Step(row, given=pretty(row.input, title="input", is_open=False),
                made=pretty(row.output, title="output", is_open=False))


def waits_of(runs: Any) -> list[tuple[int, WaitRow]]:
    """What these runs (a queryset of registry.Run) wait for, in order, each with its run."""
    rows = runs.filter(waits__isnull=False).order_by("waits__id").values_list(
        "pk", *(f"waits__{name}" for name in _OF_WAIT))
    return [(run_id, WaitRow(*facts)) for run_id, *facts in rows[:STEPS_MOST]]


def _sends(event: Event, runs: list[int]) -> list[OutboxMessage]:
    """What its runs sent, and the send that became this event. Both are indexed."""
    of_runs = Q(run_id__in=runs)
    own = Q(effect_key=event.client_ref) if event.client_ref else Q()
    return list(OutboxMessage.objects.filter(of_runs | own, instance_id=event.instance_id)
                .order_by("id")[:STEPS_MOST])


def _state(event: Event) -> MessageState | None:
    message = event.provider_message_id or event.target_message_id
    if not message:
        return None
    return MessageState.objects.filter(instance_id=event.instance_id,
                                       provider_message_id=message).first()


def _raw(event: Event) -> RawPayload | None:
    if not event.raw_id:
        return None
    return RawPayload.objects.filter(pk=event.raw_id).defer("body").first()


def _decision(event: Event) -> Any:
    try:
        return event.routing_decision
    except ObjectDoesNotExist:
        return None
