"""What the operators of an expression do at run time: null is never an error, wrong kinds are."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from omni.errors import InvalidInput
from registry.expressions.budget import spend, spend_compared, spend_search
from registry.expressions.sameness import among, comparable
from registry.expressions.values import MAX_ITEMS, MAX_TEXT, describe, to_moment

MAX_NUMBER = 10**18
_ALIKE = (int, float)


def member(value: Any, key: Any) -> Any:
    """An entry of a mapping or an item of a list; null for whatever is not there."""
    if type(value) is dict or isinstance(value, Mapping):
        return value.get(key) if isinstance(key, str) else None
    if isinstance(value, list | tuple) and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else None
    return None


def ordered(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """`<` and its kin: false with null; numbers, texts and times, each with its own kind."""
    if type(left) is type(right) and type(left) in _ALIKE:
        return compare(left, right)
    if type(left) is str and type(right) is str:
        spend_compared(left, right)
        return compare(comparable(left), comparable(right))
    if left is None or right is None:
        return False
    if _is_number(left) and _is_number(right):
        return compare(left, right)
    if isinstance(left, datetime) or isinstance(right, datetime):
        return compare(to_moment(left), to_moment(right))
    raise InvalidInput(f"cannot compare {describe(left)} with {describe(right)}")


def within(item: Any, container: Any) -> bool:
    """`in`: an item of a list, a part of a text, a key of a mapping; false with null."""
    if isinstance(container, list | tuple | frozenset):
        return among(item, container)
    if container is None:
        return False
    if isinstance(container, Mapping):
        return isinstance(item, str) and (item in container or among(item, container))
    if isinstance(container, str) and (item is None or isinstance(item, str)):
        if item is None:
            return False
        item, container = comparable(item), comparable(container)
        spend_search(container, item)
        return item in container
    raise InvalidInput(f"cannot look for {describe(item)} in {describe(container)}")


def add(left: Any, right: Any) -> Any:
    """Numbers, texts or lists; null when one is missing."""
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_TEXT:
            raise InvalidInput("the text is longer than 64 KB")
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) + len(right) > MAX_ITEMS:
            raise InvalidInput(f"the list is longer than {MAX_ITEMS} items")
        spend(len(left) + len(right))
        return [*left, *right]
    return _arithmetic("+", operator.add, left, right)


def subtract(left: Any, right: Any) -> Any:
    """Numbers, or two times (which gives seconds); null when one is missing."""
    if isinstance(left, datetime) and isinstance(right, datetime):
        return (to_moment(left) - to_moment(right)).total_seconds()  # type: ignore[operator]
    return _arithmetic("-", operator.sub, left, right)


def multiply(left: Any, right: Any) -> Any:
    return _arithmetic("*", operator.mul, left, right)


def divide(left: Any, right: Any) -> Any:
    return _arithmetic("/", operator.truediv, left, right)


def remainder(left: Any, right: Any) -> Any:
    return _arithmetic("%", operator.mod, left, right)


def negate(value: Any) -> Any:
    return _arithmetic("-", operator.sub, 0, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(sign: str, calculate: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if not (_is_number(left) and _is_number(right)):
        raise InvalidInput(f"cannot calculate {describe(left)} {sign} {describe(right)}")
    if right == 0 and sign in "/%":
        raise InvalidInput("division by zero")
    result = calculate(left, right)
    if not abs(result) <= MAX_NUMBER:
        raise InvalidInput("the number is too large")
    return result
