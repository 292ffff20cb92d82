"""The closures an expression is made of. Short paths and comparisons with a literal have their
own, because filters are mostly those."""

from collections.abc import Callable, Mapping
from typing import Any

from omni.errors import InvalidInput
from registry.expressions import operators
from registry.expressions.budget import TooMuchError, spend_all
from registry.expressions.functions.table import Function
from registry.expressions.sameness import among, comparable, is_written, same

Run = Callable[[Mapping[str, Any]], Any]


def constant(value: Any) -> Run:
    return lambda scope: value


def path(keys: tuple[str, ...]) -> Run:
    """Reads a dotted path; null as soon as a part is missing."""
    if len(keys) == 1:
        root = keys[0]
        return lambda scope: scope.get(root)
    if len(keys) == 2:
        return _short_path(*keys)
    root, *rest = keys

    def read(scope: Mapping[str, Any]) -> Any:
        value = scope.get(root)
        for key in rest:
            if type(value) is dict or isinstance(value, Mapping):
                value = value.get(key)
            else:
                return None
        return value

    return read


def _short_path(root: str, key: str) -> Run:
    def read(scope: Mapping[str, Any]) -> Any:
        value = scope.get(root)
        if type(value) is dict or isinstance(value, Mapping):
            return value.get(key)
        return None

    return read


def member(base: Run, key: str) -> Run:
    return lambda scope: operators.member(base(scope), key)


def index(base: Run, key: Run) -> Run:
    return lambda scope: operators.member(base(scope), key(scope))


def all_of(parts: tuple[Run, ...]) -> Run:
    """`and`: the first false value, else the last."""
    first, *rest = parts

    def run(scope: Mapping[str, Any]) -> Any:
        value = first(scope)
        for part in rest:
            if not value:
                return value
            value = part(scope)
        return value

    return run


def any_of(parts: tuple[Run, ...]) -> Run:
    """`or`: the first true value, else the last."""
    first, *rest = parts

    def run(scope: Mapping[str, Any]) -> Any:
        value = first(scope)
        for part in rest:
            if value:
                return value
            value = part(scope)
        return value

    return run


def equal(left: Run, right: Run) -> Run:
    return lambda scope: same(left(scope), right(scope))


def equal_to(left: Run, value: Any) -> Run:
    """Filters are mostly this: a plain text is told by Python's own comparison."""
    if not isinstance(value, str):
        return lambda scope: same(left(scope), value)
    written = comparable(value)

    def run(scope: Mapping[str, Any]) -> bool:
        found = left(scope)
        if type(found) is str:
            return found == written or (not found.isascii() and is_written(found, written))
        return same(found, value)

    return run


def one_of(item: Run, choices: list[Any]) -> Run:
    """`in` a list of literals."""
    texts = frozenset(comparable(choice) for choice in choices if isinstance(choice, str))

    def run(scope: Mapping[str, Any]) -> bool:
        found = item(scope)
        if type(found) is str:
            return comparable(found) in texts
        return among(found, choices)

    return run


def negated(run: Run) -> Run:
    return lambda scope: not run(scope)


def call(function: Function, arguments: tuple[Run, ...]) -> Run:
    """A call; what the function refuses is told with its name.

    A look at all it is given is counted, unless the function counts what it does itself.
    """
    name, act, counts = function.name, function.call, function.counts

    def run(scope: Mapping[str, Any]) -> Any:
        try:
            values = [argument(scope) for argument in arguments]
            if not counts:
                spend_all(values)
            return act(*values)
        except TooMuchError as error:
            error.function = error.function or name
            raise
        except InvalidInput as error:
            if isinstance(error, CallError):
                raise
            raise CallError(name, error.message) from error

    return run


class CallError(InvalidInput):
    """A function refused its arguments; the message may quote them."""

    def __init__(self, function: str, message: str) -> None:
        super().__init__(f"{function}: {message}")
        self.function = function
