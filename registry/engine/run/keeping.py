"""What of a step's output and input can be kept: made storable where it is born. Pure.

Later steps read exactly what is stored, so that a walk that was resumed sees what the first saw.
"""

import json
from dataclasses import replace
from typing import Any

from actions.base import Outcome
from connections.storable import is_finite

UNSTORABLE = "unstorable"
MOST_CHARACTERS = 8 * 1024 * 1024  # of one output as JSON; an answer over HTTP has no more bytes
MOST_LEVELS = 100  # of lists and mappings inside each other
_NULLED = "numbers that JSON does not have (NaN, Infinity) became null"


def kept(outcome: Outcome) -> Outcome:
    """The outcome as it can be stored.

    Numbers that are none become null, with a remark in the reason. What is too large or too deep
    fails the step with the code `unstorable`: a part of it would be taken for the whole.
    """
    if not outcome.output:
        return outcome
    output, fault, nulled = _looked_at(outcome.output)
    if fault:
        return Outcome("failed", {}, f"the output {fault}" + _was(outcome), UNSTORABLE)
    if not nulled:
        return outcome
    reasons = [reason for reason in (outcome.reason, _NULLED) if reason]
    return replace(outcome, output=output, reason="; ".join(reasons))


def shown(value: Any) -> Any:
    """A step's input as the trace keeps it: what is too large or too deep by its kind only."""
    if value is None:
        return None
    seen, fault, _ = _looked_at(value)
    if not fault:
        return seen
    return {str(name): f"[{type(item).__name__}]" for name, item in value.items()} \
        if isinstance(value, dict) else f"[{type(value).__name__}]"


def _looked_at(value: Any) -> tuple[Any, str, bool]:
    """(the value, what is wrong with it, whether numbers became null)."""
    nulled = False
    try:
        text = _json(value)
        if text.count("[") + text.count("{") > MOST_LEVELS:
            _finite(value, MOST_LEVELS)
    except (ValueError, TypeError):
        try:
            value = _finite(value, MOST_LEVELS)
            text, nulled = _json(value), True
        except (ValueError, TypeError, RecursionError) as exc:
            return value, _fault(exc), False
    except RecursionError as exc:
        return value, _fault(exc), False
    if len(text) > MOST_CHARACTERS:
        return value, f"is {len(text)} characters of JSON, more than {MOST_CHARACTERS}", False
    return value, "", nulled


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)


class _TooDeepError(RecursionError):
    """More levels than are kept."""


def _finite(value: Any, levels: int) -> Any:
    """A copy in which every number is one."""
    if isinstance(value, dict | list | tuple) and levels == 0:
        raise _TooDeepError
    if isinstance(value, dict):
        return {str(name): _finite(item, levels - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, levels - 1) for item in value]
    return value if is_finite(value) else None


def _fault(exc: Exception) -> str:
    if isinstance(exc, RecursionError):
        return f"has more than {MOST_LEVELS} levels of lists and mappings"
    return f"is no JSON: {exc}"


def _was(outcome: Outcome) -> str:
    """What is lost with it: that a step which failed later was done, and what it said."""
    said = f" ({outcome.reason})" if outcome.reason else ""
    return f"; the step itself came to '{outcome.status}'{said}"
