"""The expression language: a small part of Python's words, compiled once to closures.

Literals, lists, dotted paths and `[i]`, `and or not in ==`, order comparisons, arithmetic,
`a if test else b` and the functions of `functions`. A missing field reads as null. Paths read
mappings only, never attributes of Python objects.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml.profile import Problem
from registry.expressions import names
from registry.expressions.budget import Budget, TooMuchError
from registry.expressions.closures import Compiler, Read
from registry.expressions.evaluation import CallError
from registry.expressions.wording import (
    TOO_DEEP,
    Mistake,
    NotAnExpressionError,
    explain,
    mask,
    snippet,
)

MAX_LENGTH = 2_000  # characters
MAX_NODES = 200
HIDDEN = "its values are not shown, because a secret is among them"
RUNTIME_ERRORS = (InvalidInput, ArithmeticError, LookupError, TypeError, ValueError,
                   AttributeError, RecursionError)


class ExpressionError(InvalidInput):
    """An expression met a value it cannot work with; the message names the expression."""

    code = "expression"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    names: the dotted paths it reads, like `event.text`, `steps.stt.output.text`.
    reads: the same with the place of each part. constant: it reads nothing at all.
    """

    source: str
    names: frozenset[str]
    reads: tuple[Read, ...] = field(repr=False, compare=False)
    run: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)

    @property
    def constant(self) -> bool:
        return not self.reads

    @property
    def reads_secrets(self) -> bool:
        return any(read.path[0] == "secrets" for read in self.reads)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value in a scope of root names. Raises ExpressionError for wrong kinds of value."""
        try:
            with Budget():
                return self.run(scope)
        except TooMuchError as error:
            raise self.refused(error) from error
        except RUNTIME_ERRORS as error:
            if not self.reads_secrets:
                raise self._error(error) from error
            who = error.function if isinstance(error, CallError) else "a part"
            hidden = self._error(f"{who} cannot work with what it was given", f"; {HIDDEN}")
        raise hidden  # out here, so that no traceback repeats the first message

    def refused(self, error: TooMuchError) -> ExpressionError:
        """What is raised for work that was too much; it quotes no value."""
        return self._error(f"{error.function}: {error}" if error.function else error)

    def _error(self, said: object, more: str = "") -> ExpressionError:
        return ExpressionError(f"{said} in {snippet(self.source, len(self.source))}{more}")


def compile_expression(text: str, *, roots: Iterable[str] | None = None) -> Expression:
    """Compile an expression that may read these roots; by default every root of the table.

    Raises InvalidWorkflow; its problems have line 1 and the column within `text`.
    """
    allowed = names.ALL_ROOTS if roots is None else frozenset(roots)
    result = _compile(text, allowed)
    if isinstance(result, Expression):
        return result
    raise InvalidWorkflow([Problem(1, mistake.offset + 1, mistake.code, mistake.message,
                                   mistake.suggestion) for mistake in result])


def tree(text: str) -> tuple[str, ast.expr]:
    """An expression that compiles, as its masked text (`wording.mask`) and the parsed tree of it.
    """
    masked = _masked(text)
    return masked, _parse(masked)


@lru_cache(maxsize=8192)
def _compile(text: str, roots: frozenset[str]) -> Expression | tuple[Mistake, ...]:
    try:
        masked = _masked(text)
        compiler = Compiler(masked, roots)
        run = compiler.run(_parse(masked))
    except NotAnExpressionError as error:
        return (error.mistake,)
    except RecursionError:
        return (Mistake(0, TOO_DEEP, "too_long"),)
    if compiler.mistakes:
        first = {mistake.offset: mistake for mistake in reversed(compiler.mistakes)}
        return tuple(first[offset] for offset in sorted(first))
    return Expression(source=text, run=run, reads=tuple(compiler.reads),
                      names=frozenset(".".join(read.path) for read in compiler.reads))


def _masked(text: str) -> str:
    if len(text) > MAX_LENGTH:
        raise _refusal(f"the expression is longer than {MAX_LENGTH} characters", "too_long")
    if not text.strip():
        raise _refusal("the expression is empty")
    return mask(text)


def _parse(masked: str) -> ast.expr:
    """The tree of a masked expression; its columns count from the start of the text."""
    lead = len(masked) - len(masked.lstrip())
    try:
        tree = ast.parse(masked.strip(), mode="eval")
    except SyntaxError as error:
        mistake = explain(masked.strip(), error)
        raise NotAnExpressionError(replace(mistake, offset=mistake.offset + lead)) from error
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise _refusal(TOO_DEEP) from error
    if lead == 0 and len(masked) <= MAX_NODES:  # each part takes a character at least
        return tree.body
    parts = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    if len(parts) > MAX_NODES:
        raise _refusal(f"the expression has more than {MAX_NODES} parts", "too_long")
    for node in parts:
        node.col_offset += lead
        node.end_col_offset = (node.end_col_offset or 0) + lead
    return tree.body


def _refusal(message: str, code: str = "syntax") -> NotAnExpressionError:
    return NotAnExpressionError(Mistake(0, message, code))
