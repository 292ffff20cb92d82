"""Events that name the workflow they are for: ticks of a schedule, and starts by hand.

They wake the named workflow through its schedule or manual trigger, and no other by that.
"""

from collections.abc import Mapping
from typing import Any

from events.models import Event
from registry.language import schedules
from registry.language.definition import Definition, Trigger

SCHEDULE, MANUAL = "system.schedule", "system.manual"


def workflow_of(event: Event) -> str:
    """The slug of the workflow an event is for, "" for events that are for nobody in particular.

    What came from outside cannot pass for one: it has an archived delivery, ours have none.
    """
    if event.event_type not in (SCHEDULE, MANUAL) or event.raw_id is not None:
        return ""
    return str(event.content.get("workflow") or "") if event.direction == "internal" else ""


def is_for(event: Event, trigger: Trigger) -> bool:
    """Whether an event that names a workflow is for this trigger of it."""
    if event.event_type == MANUAL:
        return trigger.manual
    line = trigger.schedule
    return line is not None and schedules.digest(line.cron, line.timezone) == schedules.digest(
        str(event.content.get("cron")), str(event.content.get("timezone")))


def how(event: Event) -> str:
    """What an event says that no trigger of the workflow takes, for the routing decision."""
    if event.event_type == MANUAL:
        return "it is started by hand"
    return f"schedule is {event.content.get('cron')}, {event.content.get('timezone')}"


def given_inputs(event: Event, definition: Definition) -> dict[str, Any]:
    """What was given at a start by hand, as far as the workflow that runs knows it."""
    given = event.content.get("inputs") if event.event_type == MANUAL else None
    if not isinstance(given, Mapping) or workflow_of(event) != definition.id:
        return {}
    return {name: value for name, value in given.items() if name in definition.inputs}
