"""How much work an evaluation may do, so that no expression keeps the others waiting: conditions
are asked by the router, in which all accounts' events stand in one line.

Work is counted in operations of about a tenth of a microsecond: a value looked at, or a few
characters read. Whatever grows with the values it is given spends what it does, before it does it.
"""

import threading
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from omni.errors import InvalidInput

MOST = 500_000  # operations of one evaluation: about 50 ms
MOST_OF_EVENT = 4 * MOST  # of all conditions that are asked about one event
READ = 3  # 2 to the power of it: characters of a text read sign by sign, for an operation
_PER_SECOND = 10_000_000
COMPARED = 8  # likewise of texts that are compared, copied or searched
_SHORT = 64  # characters
_SMALL = frozenset((int, float, bool, type(None)))  # kinds of no size


class TooMuchError(InvalidInput):
    """The evaluation would do more than it may. function: the call in which, where it was one."""

    function = ""


class _Account(threading.local):
    left: float = inf
    limit: "Budget | None" = None  # the one that is reached first


_account = _Account()


class Budget:
    """Limits what is evaluated within it. Inside another one it is part of that."""

    __slots__ = ("_given", "_left", "_limit", "most", "spent", "whose")

    def __init__(self, most: int = MOST, whose: str = "an evaluation") -> None:
        self.most, self.whose = most, whose
        self.spent = 0  # operations, once it is left; all of them when one more was refused

    def __enter__(self) -> "Budget":
        account = _account
        self._left = left = account.left
        self._limit = account.limit
        if self.most < left:
            left, account.limit = self.most, self
        self._given = account.left = left
        return self

    def __exit__(self, *_: object) -> None:
        account, left = _account, self._given
        self.spent = int(left - account.left if account.left > 0 else left)
        account.left, account.limit = self._left - self.spent, self._limit


def spend(operations: int) -> None:
    """Count work that is about to be done. Raises TooMuchError when it would be too much."""
    _account.left = left = _account.left - operations
    if left < 0:
        limit = _account.limit
        assert limit is not None  # where nothing is limited there is always something left
        raise TooMuchError(
            f"this is too much work: {limit.whose} may do at most {limit.most:,} operations")


def spend_seconds(seconds: float) -> None:
    """Count work that was done, by its time; less than a millisecond is not worth it."""
    if seconds > 0.001:
        spend(int(seconds * _PER_SECOND))


def seconds_left() -> float:
    """How long the rest of the work may take."""
    return max(0.0, _account.left) / _PER_SECOND + 0.001


def spend_read(text: str, times: int = 1) -> None:
    """Count the reading of every sign of a text; a short one is part of what is done with it."""
    if len(text) > _SHORT:
        spend(times * len(text) >> READ)


def spend_compared(*texts: str) -> None:
    """Count the comparing, copying or searching of texts."""
    longest = max(map(len, texts))
    if longest >> COMPARED:
        spend(longest >> COMPARED)


def spend_search(text: str, part: str) -> None:
    """Count the search of a part in a text, likewise."""
    if len(text) > _SHORT:
        spend(1 + (len(text) * min(len(part), 64) >> 11))


def spend_all(values: Iterable[Any]) -> None:
    """Count a look at values and all they hold."""
    left = min(_account.left, 2 ** 62)
    total, waiting = 0, list(values)
    while waiting:
        value = waiting.pop()
        total += 1
        kind = type(value)
        if kind is str:
            total += len(value) >> READ
        elif kind in _SMALL:
            continue
        elif kind is list or kind is tuple:
            total += 2
            waiting.extend(value[:int(left - total) + 1])
        elif kind is dict or isinstance(value, Mapping):
            total += 2 + 2 * len(value)
            if total <= left:
                total += sum(map(len, filter(_is_text, value))) >> READ
                waiting.extend(value.values())
        if total > left:
            break
    spend(total)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
