"""A last look at an answer before it is sent, by fixed rules."""

import re
import unicodedata
from typing import Literal

from pydantic import BaseModel, Field

from actions.base import Context, Outcome, Output, Params, action, done
from actions.validators import patterns
from events.models import Event

MAX_INPUT = 64 * 1024  # characters
_ZERO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
RuleName = Literal["empty_text", "too_long", "secret", "card_number", "bank_account",
                   "national_id", "instruction_echo", "template_mark", "hidden_text"]


class SafetyParams(Params):
    text: str | None = Field(description="The text to look at.")
    skip: list[RuleName] = Field([], description="Rules that do not count here: empty_text, "
                                 "too_long, secret, card_number, bank_account, national_id, "
                                 "instruction_echo, template_mark, hidden_text.")


class Finding(BaseModel):
    """One thing a rule found; never the thing itself."""

    rule: str = Field(description="The rule.")
    what: str = Field(description="What kind of thing it is.")
    count: int = Field(1, description="How often it stands in the text.")


class SafetyOutput(Output):
    ok: bool = Field(False, description="Whether no rule found anything.")
    reason: str = Field("", description="What was found, in words; empty when ok.")
    findings: list[Finding] = Field([], description="What was found, by rule.")


@action("validate.safety", params=SafetyParams, output=SafetyOutput, effects="read", timeout=10.0)
def validate(event: Event, params: SafetyParams, context: Context) -> Outcome:
    """Look for secrets, card and id numbers, echoed instructions and leftover marks in a text.

    The run goes on either way: ask `output.ok`. Fixed rules, no model: what is said in other words
    passes.
    """
    found = [Finding(rule=rule, what=what, count=count)
             for rule, what, count in _findings(params.text or "") if rule not in params.skip]
    reason = ", ".join(f"{one.what} ({one.rule})" for one in found)
    return done(ok=not found, reason=f"found: {reason}" if found else "",
                findings=[one.model_dump() for one in found])


def _findings(text: str) -> list[tuple[str, str, int]]:
    """Signs without width and other spellings of a letter are undone first: they hide things."""
    if len(text) > MAX_INPUT:
        return [("too_long", f"more than {MAX_INPUT} characters, not looked at", 1)]
    plain = _ZERO_WIDTH.sub("", unicodedata.normalize("NFKC", text))
    if not plain.strip():
        return [("empty_text", "nothing to say", 1)]
    return patterns.findings(plain, rules=patterns.RULES)
