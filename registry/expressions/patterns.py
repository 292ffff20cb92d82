"""Regular expressions people may write: a lint that refuses patterns which can take forever, and
a search that gives up after 50 ms."""

import re
import time
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any
from unicodedata import normalize

import regex

from omni.errors import InvalidInput
from registry.expressions.budget import seconds_left, spend, spend_seconds
from registry.expressions.sameness import comparable

MAX_PATTERN = 500  # characters
MAX_INPUT = 1_000  # characters of the text looked at
WIDE = 16
TIMEOUT = 0.05  # seconds

_REPEATS = {sre.MAX_REPEAT, sre.MIN_REPEAT,
            getattr(sre, "POSSESSIVE_REPEAT", sre.MAX_REPEAT)}
_BACK_REFERENCES = {sre.GROUPREF, sre.GROUPREF_EXISTS}


def lint(pattern: str) -> str:
    """What is wrong with a pattern, in one sentence; "" when it may be used."""
    if len(pattern) > MAX_PATTERN:
        return f"the pattern is longer than {MAX_PATTERN} characters"
    try:
        wide = _check(_parser.parse(pattern), in_repeat=False)
        regex.compile(pattern)
    except _RefusedError as refused:
        return str(refused)
    except (re.error, regex.error, RecursionError, OverflowError, ValueError) as error:
        return f"not a regular expression: {error}"
    if wide > 1:
        return (f"only one repeat may be wider than {WIDE}; bound the others, like \\s{{0,3}}, "
                "or use glob() or words()")
    return ""


class _RefusedError(Exception):
    """The pattern has a part that can take forever."""


def _check(part: Any, *, in_repeat: bool) -> int:
    """Walk a parsed pattern; returns how many repeats are wider than WIDE."""
    if isinstance(part, _parser.SubPattern | list):
        return sum(_check(item, in_repeat=in_repeat) for item in part)
    if not isinstance(part, tuple) or not part:
        return 0
    operator = part[0]
    if operator in _BACK_REFERENCES:
        raise _RefusedError("a back-reference is not allowed")
    if operator is sre.BRANCH and in_repeat:
        raise _RefusedError("an alternation inside a repeat is not allowed; "
                            "use words() for several words")
    if operator in _REPEATS:
        least, most, inner = part[1]
        if in_repeat and least != most:
            raise _RefusedError("a repeat inside a repeat is not allowed, like in (a+)+")
        wide = 1 if most > WIDE and least != most else 0
        return wide + _check(inner, in_repeat=in_repeat or most > 1)
    return sum(_check(item, in_repeat=in_repeat) for item in part[1:])


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> "regex.Pattern[str]":
    trouble = lint(pattern)
    if trouble:
        raise InvalidInput(f"pattern '{pattern[:60]}': {trouble}")
    return regex.compile(pattern)


def search(text: str, pattern: str) -> bool:
    """Whether `pattern` occurs in the first 1,000 characters of `text`, both in composed form.

    Raises InvalidInput for a pattern the lint refuses, or one that takes longer than 50 ms. How
    often it tries nobody can count, so the time it takes is spent.
    """
    text = comparable(text[:2 * MAX_INPUT])[:MAX_INPUT]
    spend(len(text))
    started = time.thread_time()
    try:
        found = _compiled(normalize("NFC", pattern)).search(
            text, timeout=min(TIMEOUT, seconds_left()))
    except TimeoutError as error:
        spend_seconds(time.thread_time() - started)
        raise InvalidInput(f"pattern '{pattern[:60]}' took longer than 50 ms") from error
    spend_seconds(time.thread_time() - started)
    return found is not None
