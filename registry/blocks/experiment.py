"""Stable shares of people for variants of a workflow."""

import hashlib

from pydantic import Field, field_validator

from actions.base import Context, Outcome, Output, Params, action, done
from events.models import Event


class ExperimentParams(Params):
    name: str = Field(min_length=1, max_length=63, description="Another name deals people anew.")
    variants: dict[str, int] = Field(min_length=1, max_length=20, description="Names, each with "
                                     "its weight: {a: 50, b: 50}.")
    key: str = Field("", description="Who stays in one variant; empty: the contact, else the "
                     "conversation.")

    @field_validator("variants")
    @classmethod
    def _weights(cls, variants: dict[str, int]) -> dict[str, int]:
        if any(weight < 0 for weight in variants.values()) or not sum(variants.values()):
            raise ValueError("weights must be 0 or more, and not all 0")
        return variants


class ExperimentOutput(Output):
    variant: str = Field("", description="The variant of this key, always the same one.")
    key: str = Field("", description="What it was dealt by.")


@action("workflow.experiment", params=ExperimentParams, output=ExperimentOutput, timeout=5.0)
def experiment(event: Event, params: ExperimentParams, context: Context) -> Outcome:
    """Deal people to variants by weight; who has one keeps it."""
    key = params.key or f"contact:{event.contact_id}" if params.key or event.contact_id else (
        f"conversation:{event.instance_id}:{event.conversation_ref}")
    digest = hashlib.sha256(f"{params.name}\0{key}".encode("utf-8", "replace")).digest()
    ticket = int.from_bytes(digest[:8], "big") % sum(params.variants.values())
    for name, weight in sorted(params.variants.items()):  # however they are written
        if ticket < weight:
            return done(variant=name, key=key)
        ticket -= weight
    raise AssertionError("a ticket is below the sum of the weights")
