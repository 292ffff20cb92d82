"""Facts out of a text by a regular expression that cannot take for ever."""

from typing import Any

import regex
from pydantic import Field, field_validator

from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event

MAX_INPUT = 1_000  # characters looked at
MAX_MATCHES = 50
TIMEOUT = 0.05  # seconds


class RegexParams(Params):
    pattern: str = Field(min_length=1, max_length=500, description="Regular expression; named "
                         "groups (?P<name>...) become output.named.")
    text: str | None = Field(None, description="Where to look; empty: the event's text. The first "
                             "1,000 characters count.")
    ignore_case: bool = Field(True, description="Capital and small letters are the same.")

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            regex.compile(pattern)
        except regex.error as exc:
            raise ValueError(f"not a regular expression: {exc}") from exc
        return pattern


class RegexOutput(Output):
    matched: bool = Field(False, description="Whether the pattern was found.")
    match: str = Field("", description="The first place it fits.")
    groups: list[str | None] = Field([], description="Groups of the first place, in order.")
    named: dict[str, Any] = Field({}, description="Named groups of the first place.")
    matches: list[str] = Field([], description="Every place it fits, at most 50.")


@action("transform.regex", params=RegexParams, output=RegexOutput, timeout=5.0)
def find(event: Event, params: RegexParams, context: Context) -> Outcome:
    """Find order numbers, codes or addresses in a text by a regular expression."""
    text = (event.text if params.text is None else params.text) or ""
    flags = regex.IGNORECASE if params.ignore_case else 0
    found = []
    try:
        for match in regex.compile(params.pattern, flags).finditer(text[:MAX_INPUT],
                                                                   timeout=TIMEOUT):
            found.append(match)
            if len(found) == MAX_MATCHES:
                break
    except TimeoutError:
        return failed("the pattern took longer than 50 ms; make it simpler", code="slow_pattern")
    if not found:
        return done(**RegexOutput().model_dump())
    first = found[0]
    return done(matched=True, match=first.group(), groups=list(first.groups()),
                named=first.groupdict(), matches=[match.group() for match in found])
