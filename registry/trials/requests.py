"""Trials as a person or program asks for them: stored pins, bound inputs, and only what the caller
may see.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from connections.access import Principal
from connections.models import Instance
from events.models import Event, EventAction
from events.people import known_by
from omni.yaml import profile
from registry.engine.route import matching
from registry.language import document
from registry.models import Run, Workflow
from registry.trials import backtest, staging, stubs, trial
from registry.trials.backtest import Report
from registry.trials.staging import Staged
from registry.trials.trial import Trial

PINNED_KINDS = ("uses", "decide", "wait", "approval", "call")


def find_event(example: Any, who: Principal, *, now: datetime) -> Staged | None:
    """The event a caller names: an id, or an example as in a test. None when it is not there for
    this caller. Raises InvalidInput for an example that is none.
    """
    if isinstance(example, int) and not isinstance(example, bool):
        event = Event.objects.visible_to(who).select_related(
            "instance", "conversation__merged_into", "contact__merged_into").filter(
            pk=example).first()
        if event is None:
            return None
        event.take_kept()
        known_by.show([event.contact], who)
        return Staged(event)
    return staging.build(example, now=now)


def try_event(workflow: Workflow, text: str, example: Any, who: Principal, *,
              now: datetime | None = None, **options: Any) -> Trial | None:
    """Try a text on the event a caller names; None when it is not there for this caller.

    now: the time it is. options: those of `try_workflow`. Raises what that and `find_event` raise.
    """
    staged = find_event(example, who, now=now or timezone.now())
    return None if staged is None else try_workflow(workflow, text, staged, who, now=now, **options)


def try_workflow(workflow: Workflow, text: str, staged: Staged, who: Principal, *,
                 inputs: Mapping[str, Any] | None = None, pins: Mapping[str, Any] | None = None,
                 **options: Any) -> Trial:
    """Try a text of a workflow. Given inputs stand over those of the event's instance.

    pins: over the stored ones. options: those of `trial.try_out`.
    """
    return trial.try_out(
        text, staged, inputs={**bound_inputs(workflow, text, staged), **(inputs or {})},
        pins={**stored_pins(workflow, text, who), **(pins or {})}, past=_past(workflow, who),
        who=who, **options)


def backtest_workflow(workflow: Workflow, text: str, who: Principal, *,
                      instances: list[Instance] | None, **options: Any) -> Report:
    """Back-test a text of a workflow. options: those of `backtest.backtest`."""
    if instances is None and who.instance_ids is not None:
        instances = list(Instance.objects.visible_to(who))
    return backtest.backtest(text, instances=instances, who=who, past=_past(workflow, who),
                             pins=stored_pins(workflow, text, who), **options)


def stored_pins(workflow: Workflow, text: str, who: Principal) -> dict[str, Any]:
    """Pins of steps the text has. They may come from any instance's run, so only callers who see
    every instance are given them.
    """
    if who.instance_ids is not None:
        return {}
    known = document.step_names(text) or []
    return {name: output for name, output in workflow.pins.items() if name in known}


def bound_inputs(workflow: Workflow, text: str, staged: Staged) -> dict[str, Any]:
    """What the bindings give at the event's instance, of the inputs the text has."""
    if not staged.is_stored:
        return {}
    instance = staged.event.instance
    effective = matching.table(now=True).find(workflow.slug, instance.pk, instance.provider)
    data = profile.load(text).data
    known = data.get("inputs") if isinstance(data, Mapping) else None
    if effective is None or not isinstance(known, Mapping):
        return {}
    return {name: value for name, value in effective.inputs.items() if name in known}


def pins_of_run(run: Run) -> dict[str, Any]:
    """What the steps of a run gave, by id or path: those its workflow's draft still has.

    Turns of loops are left out: a pin is one output for all of them.
    """
    known = document.step_names(run.workflow.draft) or []
    rows = EventAction.objects.filter(run_id=run.pk, final=True, status="done", iteration="",
                                      step_kind__in=PINNED_KINDS).in_order()
    found = {row.step_id or row.path: row.output or {} for row in rows}
    return {name: output for name, output in found.items() if name in known}


def _past(workflow: Workflow, who: Principal) -> stubs.Past:
    return stubs.past_of(workflow.slug, Run.objects.visible_to(who))
