"""People with a label: partners, VIPs, the own team."""

from typing import Literal

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from actions.people import contact_lists
from events.models import Event


class ContactOverrideParams(Params):
    label: str = Field(min_length=1, max_length=63, description="The label, like vip or partner: "
                       "of the contact, or of a contact list the contact is on.")
    mode: Literal["pass", "stop", "note"] = Field(
        "pass", description="pass: only people with the label go on; stop: they end here; note: "
        "everybody goes on, and the output tells who has it.")


class ContactOverrideOutput(Output):
    labelled: bool = Field(False, description="Whether the person has the label.")
    source: str = Field("", description="`contact`, or `list` and the list's name.")


@action("guard.contact_override", params=ContactOverrideParams, output=ContactOverrideOutput,
        effects="read")
def contact_override(event: Event, params: ContactOverrideParams, context: Context) -> Outcome:
    """Treat people with a label (vip, partner, team) in a way of their own."""
    source = contact_lists.labelled(event, params.label)
    facts = {"labelled": bool(source), "source": source}
    if params.mode == "pass" and not source:
        return stop(f"the contact is not labelled {params.label}", **facts)
    if params.mode == "stop" and source:
        return stop(f"the contact is labelled {params.label}", **facts)
    return done(**facts)
