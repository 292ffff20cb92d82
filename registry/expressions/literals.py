"""Literal arguments with which a function can only fail, found by calling it. Pure.

What is not written out stands for samples of the kinds it may be of; a call fails for certain when
it fails with each of them. Null is of every kind, so a written null is no literal here.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, product
from math import prod
from typing import Any
from zoneinfo import available_timezones

from omni.errors import InvalidInput
from registry.expressions import names
from registry.expressions.functions import FUNCTIONS, numbers
from registry.expressions.names import Kind
from registry.expressions.wording import unmask

_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_TIMES = (_NOW, datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_SAMPLES: dict[str, tuple[Any, ...]] = {
    "text": ("a",), "number": (1, 0, -1, 1_000_000), "boolean": (True, False), "time": _TIMES,
    "list": (["a"], [1], []), "mapping": ({"a": 1},)}
_ZONE_AT = {"time": 1, "hour": 1, "weekday": 1, "date": 1, "in_hours": 2}  # argument's number
_LOCALE = ("format_number", 2)
_MOST_CALLS = 256  # of a function, to judge one literal
_AT: dict[tuple[str, int], tuple[Any, ...]] = {  # where not every text will do
    **dict.fromkeys(_ZONE_AT.items(), ("UTC",)), _LOCALE: ("en",),
    ("in_hours", 1): ("09:00-10:00",)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which argument it is, what the function says of it, and what was probably meant."""

    argument: int
    message: str
    suggestion: str = ""


class _Open:
    """Stands for a part that is not written out."""


def refused(name: str, given: Sequence[ast.expr], found: Sequence[Kind | None],
            takes: Sequence[frozenset[str]]) -> Refusal | None:
    """The first literal argument of a call with which it can only fail.

    found: the kinds of the arguments, None where it is open; takes: those that fit, the last for
    all that follow.
    """
    written = [_written(node) for node in given]
    choices = [_samples(name, number, kind, takes[min(number, len(takes) - 1)])
               for number, kind in enumerate(found)]
    for number, value in enumerate(written):
        if isinstance(value, _Open):
            continue
        message = _failure(name, [*choices[:number], (value,), *choices[number + 1:]])
        if message:
            near = _meant(name, number, value)
            return Refusal(number, message + (f"; did you mean '{near}'?" if near else ""), near)
    return None


def _samples(name: str, number: int, kind: Kind | None, fits: frozenset[str]) -> tuple[Any, ...]:
    """What an argument may be when it goes well."""
    kinds = {kind} if kind else fits
    if (name, number) in _AT:
        return _AT[name, number]
    return tuple(sample for one in _SAMPLES if one in kinds for sample in (
        tuple(time.isoformat() for time in _TIMES) if one == "text" and "time" in fits
        else _SAMPLES[one]))


def _failure(name: str, choices: Sequence[tuple[Any, ...]]) -> str:
    """What the function says when it fails whatever is chosen, else ""."""
    function, said = FUNCTIONS[name], ""
    for values in _together(choices):
        try:
            function.call(*((_NOW, *values) if function.uses_now else values))
            return ""
        except InvalidInput as error:
            said = said or error.message
        except OverflowError:
            said = said or "the number is too large"
    return said


def _together(choices: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Samples of all arguments, in every combination; of many arguments in a part of them."""
    yield from islice(product(*choices), _MOST_CALLS)
    if all(choices) and prod(map(len, choices)) > _MOST_CALLS:
        for turn in range(max(map(len, choices))):
            yield tuple(samples[turn % len(samples)] for samples in choices)


def _written(node: ast.expr) -> Any:
    """The value of a literal. Of a list its literal items; the others may be null, which is left
    out wherever a function looks at items."""
    if isinstance(node, ast.Constant):
        return unmask(node.value) if isinstance(node.value, str) else node.value
    if isinstance(node, ast.Name) and node.id in ("true", "false"):
        return node.id == "true"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _written(node.operand)
        return -value if isinstance(value, int | float) else _Open()
    if isinstance(node, ast.List | ast.Tuple):
        return list(_known(node.elts)) or _Open()
    return _Open()


def _known(nodes: Sequence[ast.expr]) -> Iterator[Any]:
    for value in map(_written, nodes):
        if not isinstance(value, _Open):
            yield value


def _meant(name: str, number: int, value: Any) -> str:
    """The zone or locale most like the one written."""
    if not isinstance(value, str):
        return ""
    if number == _ZONE_AT.get(name):
        return _zone_like(value)
    if (name, number) == _LOCALE:
        return names.nearest(value.replace("_", "-").lower(), numbers.LOCALES)
    return ""


def _zone_like(value: str) -> str:
    """A zone of the same area, or of a city with the same first letter."""
    area, _, city = value.lower().rpartition("/")
    zones = sorted(available_timezones())
    if area:
        known = {zone.lower(): zone for zone in zones if zone.lower().startswith(f"{area}/")}
        return known.get(names.nearest(value.lower(), known), "")
    known = {zone.rpartition("/")[2].lower(): zone for zone in zones}
    return known.get(names.nearest(city, [one for one in known if one[:1] == city[:1]]), "")
