"""Whether the values a binding or a person gives fit the inputs a workflow declares.

Pure: an agent, a contact or an instance is checked by its form, not looked up.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from omni.errors import InvalidInput
from registry.expressions.names import nearest
from registry.expressions.sameness import among
from registry.language.definition import Input
from registry.language.durations import seconds

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_NOTHING: Mapping[str, Any] = {}
ID_MAX = 2 ** 63 - 1


def check(declared: Mapping[str, Input], given: Mapping[str, Any], *, complete: bool = True,
          others: Mapping[str, Any] = _NOTHING) -> dict[str, str]:
    """What is wrong with `given`: {inputs.<name>: why}, empty when nothing is.

    complete: required inputs without a value are wrong, too. others: values that come from
    elsewhere, which count for that. null is no value.
    """
    wrong: dict[str, str] = {}
    for name, value in given.items():
        if name not in declared:
            wrong[f"inputs.{name}"] = _unknown(name, declared)
        elif value is not None and (trouble := wrong_value(declared[name], value)):
            wrong[f"inputs.{name}"] = trouble
    for name, one in declared.items() if complete else ():
        value = given[name] if name in given else others.get(name, one.default)
        if one.required and value is None:
            wrong[f"inputs.{name}"] = f"is required; give {WANTED[one.type]}"
    return wrong


def _unknown(name: str, declared: Mapping[str, Input]) -> str:
    near = nearest(name, declared)
    hint = f"; did you mean '{near}'?" if near else ""
    return f"is no such input; it has: {', '.join(declared) or 'none'}{hint}"


def wrong_value(declared: Input, value: Any) -> str:
    """Why a value does not fit an input ("must be …"), "" when it does."""
    if not _FITS[declared.type](value):
        return f"must be {WANTED[declared.type]}"
    if declared.choices and not among(value, declared.choices):
        listed = ", ".join(map(str, declared.choices))
        near = nearest(str(value), map(str, declared.choices))
        return f"must be one of {listed}" + (f"; did you mean '{near}'?" if near else "")
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_slug(value: Any) -> bool:
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _is_row(value: Any) -> bool:
    """A number of ours, or the name a provider gives."""
    return _is_name(value) or (_is_integer(value) and 0 < value <= ID_MAX)


def _is_duration(value: Any) -> bool:
    try:
        seconds(value)
    except InvalidInput:
        return False
    return True


def _is_url(value: Any) -> bool:
    if not isinstance(value, str) or any(sign.isspace() for sign in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "text": (_is_text, "text"),
    "number": (_is_number, "a number"),
    "integer": (_is_integer, "a whole number"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "mapping": (lambda value: isinstance(value, dict), "a mapping"),
    "choice": (lambda value: True, "one of its choices"),
    "duration": (_is_duration, "a duration, like 30s or 24h"),
    "agent": (_is_slug, "the slug of an agent"),
    "audience": (_is_name, "the name of an audience"),
    "handle": (_is_name, "a phone number, mail address or name at the provider"),
    "handles": (_list_of(_is_name), "a list of phone numbers, mail addresses or names"),
    "contact": (_is_row, "the number of a contact or one of its handles"),
    "contacts": (_list_of(_is_row), "a list of contacts, by number or handle"),
    "conversation": (_is_row, "the number of a conversation or its name at the provider"),
    "instance": (_is_slug, "the slug of an instance"),
    "workflow": (_is_slug, "the id of a workflow"),
    "url": (_is_url, "an address that begins with http:// or https://"),
}
_FITS = {name: fits for name, (fits, _) in _TYPES.items()}
WANTED = {name: wanted for name, (_, wanted) in _TYPES.items()}
