"""Functions on lists and mappings."""

from collections.abc import Hashable, Mapping
from typing import Any

from omni.errors import InvalidInput
from registry.expressions.budget import spend
from registry.expressions.functions.table import function
from registry.expressions.sameness import key_of, share
from registry.expressions.values import describe, need_list, need_text


@function("len(value)", least=1, counts=True)
def _len(value: Any) -> int:
    """How many characters, items or keys; null has none to count: use default(x, '')."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    hint = "; write len(default(x, ''))" if value is None else ""
    raise InvalidInput(f"needs text, a list or a mapping, not {describe(value)}{hint}")


@function("default(value, other, …)", least=2, endless=True, counts=True)
def _default(*values: Any) -> Any:
    """The first value that is not null and not empty text; else the last."""
    return next((value for value in values if value is not None and value != ""), values[-1])


@function("first(list)", least=1, counts=True)
def _first(items: Any) -> Any:
    """The first item, null when there is none."""
    return need_list(items)[0] if items else None


@function("last(list)", least=1, counts=True)
def _last(items: Any) -> Any:
    """The last item, null when there is none."""
    return need_list(items)[-1] if items else None


@function("unique(list)", least=1)
def _unique(items: Any) -> list[Any]:
    """The list without repetitions, in order."""
    if items is None:
        return []
    seen: dict[Hashable, Any] = {}
    spend(2 * len(need_list(items)))
    for item in items:
        seen.setdefault(key_of(item), item)
    return list(seen.values())


@function("keys(mapping)", least=1, counts=True)
def _keys(value: Any) -> list[str]:
    """The keys of a mapping."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, not {describe(value)}")
    spend(len(value))
    return list(value)


@function("pluck(list, key)", least=2, counts=True)
def _pluck(items: Any, key: Any) -> list[Any]:
    """One field of each mapping in a list."""
    name = need_text(key)
    if items is None:
        return []
    spend(3 * len(need_list(items)))
    return [item.get(name) for item in items if isinstance(item, Mapping)]


@function("overlaps(list, list)", least=2, counts=True)
def _overlaps(one: Any, other: Any) -> bool:
    """Whether two lists share an item."""
    if one is None or other is None:
        return False
    return share(need_list(one), need_list(other))
