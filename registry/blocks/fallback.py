"""The first value that can be used."""

from typing import Any

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event


class FallbackParams(Params):
    values: list[Any] = Field(min_length=1, max_length=50, description="Values in the order they "
                              "are wanted, like the outputs of several steps.")


class FallbackOutput(Output):
    value: Any = Field(None, description="The first value that is not null and not empty.")
    position: int = Field(0, description="Which one it is, from 1.")


@action("workflow.fallback", params=FallbackParams, output=FallbackOutput, timeout=5.0)
def fallback(event: Event, params: FallbackParams, context: Context) -> Outcome:
    """Take the first value that is there: the answer of one step, else of another."""
    for position, value in enumerate(params.values, 1):
        if value not in (None, "", [], {}):
            return done(value=value, position=position)
    return failed(f"none of the {len(params.values)} values is there", code="nothing_usable")
