"""The table of functions an expression can call, and the decorator that fills it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    least, most: how many arguments; most None means any number.
    uses_now: the recorded time of the step is passed before the written arguments.
    counts: it spends what it does (`budget`); a look at all it is given is counted otherwise.
    """

    name: str
    call: Callable[..., Any]
    least: int
    most: int | None
    signature: str
    about: str
    uses_now: bool = False
    counts: bool = False


FUNCTIONS: dict[str, Function] = {}


def function(signature: str, *, least: int, most: int | None = None, endless: bool = False,
             uses_now: bool = False, counts: bool = False) -> Callable:
    """Register a function under the name its signature starts with; its docstring is the help.

    counts: for one that does not look at all it is given, or looks at it more than once.
    """

    def declare(call: Callable[..., Any]) -> Callable[..., Any]:
        name = signature.split("(", 1)[0]
        FUNCTIONS[name] = Function(name, call, least, None if endless else most or least,
                                   signature, (call.__doc__ or "").strip(), uses_now, counts)
        return call

    return declare
