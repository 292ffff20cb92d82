"""The values of the language: how they are named in messages, written as text and checked."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from omni.errors import InvalidInput
from registry.expressions.budget import spend

MAX_TEXT = 64 * 1024  # characters of any text an expression makes
_LONGEST_TIME = 1_000  # characters, blanks around it included
MAX_ITEMS = 10_000  # items of any list an expression makes


def describe(value: Any) -> str:
    """A value's kind in the words of the language, for messages."""
    if value is None:
        return "null"
    for kinds, word in _KINDS:
        if isinstance(value, kinds):
            return word
    return "a value"


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"), (int | float, "a number"), (str, "text"), (datetime, "a time"),
    (list | tuple, "a list"), (Mapping, "a mapping"))


def to_text(value: Any) -> str:
    """How a value looks inside mixed text; null is ""."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=plain)


def plain(value: Any) -> Any:
    """What JSON writes for a value it does not know."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def to_time(value: Any, *, local: tzinfo = UTC) -> datetime | None:
    """An aware time from a time or ISO text; null stays null.

    local: where a text without an offset is meant.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value[:_LONGEST_TIME].strip())
        except ValueError:
            raise InvalidInput(f"'{value[:40]}' is not a time") from None
    if not isinstance(value, datetime):
        raise InvalidInput(f"needs a time, not {describe(value)}")
    return value if value.tzinfo else value.replace(tzinfo=local)


def to_moment(value: Any) -> datetime | None:
    """As to_time, in UTC: Python compares times of one zone by their wall clocks."""
    time = to_time(value)
    return None if time is None else time.astimezone(UTC)


def need_text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, not {describe(value)}")
    return value


def need_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"needs a number, not {describe(value)}")
    return value


def need_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(f"needs a list, not {describe(value)}")
    return value


def choices(values: tuple[Any, ...]) -> list[str]:
    """Texts given one by one or as one list."""
    spend(6 * sum(len(value) for value in values if isinstance(value, list | tuple)))
    flat = [item for value in values
            for item in (value if isinstance(value, list | tuple) else [value])]
    return [need_text(item) for item in flat if item is not None]


def limited(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise InvalidInput("the text is longer than 64 KB")
    return text
