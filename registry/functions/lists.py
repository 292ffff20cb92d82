"""Functions on lists, mappings and numbers."""

import json
import re
from collections.abc import Mapping
from typing import Any

from omni.errors import InvalidInput
from registry.functions.table import function
from registry.values import describe, need_list, need_number, need_text


@function("len(value)", least=1)
def _len(value: Any) -> int:
    """How many characters, items or keys; null has none to count: use default(x, '')."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    hint = "; write len(default(x, ''))" if value is None else ""
    raise InvalidInput(f"needs text, a list or a mapping, not {describe(value)}{hint}")


@function("default(value, other, …)", least=2, endless=True)
def _default(*values: Any) -> Any:
    """The first value that is not null and not empty text; else the last."""
    return next((value for value in values if value is not None and value != ""), values[-1])


@function("first(list)", least=1)
def _first(items: Any) -> Any:
    """The first item, null when there is none."""
    return need_list(items)[0] if items else None


@function("last(list)", least=1)
def _last(items: Any) -> Any:
    """The last item, null when there is none."""
    return need_list(items)[-1] if items else None


@function("unique(list)", least=1)
def _unique(items: Any) -> list[Any]:
    """The list without repetitions, in order."""
    if items is None:
        return []
    seen: dict[str, Any] = {}
    for item in need_list(items):
        seen.setdefault(json.dumps(item, sort_keys=True, default=str), item)
    return list(seen.values())


@function("keys(mapping)", least=1)
def _keys(value: Any) -> list[str]:
    """The keys of a mapping."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, not {describe(value)}")
    return list(value)


@function("pluck(list, key)", least=2)
def _pluck(items: Any, key: Any) -> list[Any]:
    """One field of each mapping in a list."""
    name = need_text(key)
    return [] if items is None else [item.get(name) for item in need_list(items)
                                     if isinstance(item, Mapping)]


@function("overlaps(list, list)", least=2)
def _overlaps(one: Any, other: Any) -> bool:
    """Whether two lists share an item."""
    if one is None or other is None:
        return False
    return any(item in need_list(other) for item in need_list(one))


@function("number(value)", least=1)
def _as_number(value: Any) -> int | float | None:
    """The number a text holds, null when it holds none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\s*-?[0-9]{1,15}(\.[0-9]{1,15})?\s*",
                                                      value, re.ASCII):
        return None
    return float(value) if "." in value else int(value)


@function("round(number, digits)", least=1, most=2)
def _round(value: Any, digits: Any = 0) -> int | float:
    """The number rounded; without digits to a whole one."""
    places = max(-15, min(15, int(need_number(digits))))
    return round(need_number(value), places or None)


@function("abs(number)", least=1)
def _abs(value: Any) -> int | float:
    """The number without its sign."""
    return abs(need_number(value))


@function("min(a, b, …)", least=1, endless=True)
def _min(*values: Any) -> int | float | None:
    """The smallest number, of a list or one by one; null when there is none."""
    return min(_numbers(values), default=None)


@function("max(a, b, …)", least=1, endless=True)
def _max(*values: Any) -> int | float | None:
    """The largest number, of a list or one by one; null when there is none."""
    return max(_numbers(values), default=None)


@function("sum(list)", least=1)
def _sum(items: Any) -> int | float:
    """The sum of a list of numbers."""
    return sum(_numbers((items,)))


def _numbers(values: tuple[Any, ...]) -> list[int | float]:
    items = values[0] if len(values) == 1 and isinstance(values[0], list | tuple) else values
    return [need_number(item) for item in items if item is not None]
