"""Values of a workflow that may hold `${{ expression }}`: compiled once, rendered per step."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omni.errors import InvalidWorkflow
from omni.yaml.marks import Path
from omni.yaml.profile import Problem
from registry.expressions.budget import Budget, TooMuchError, spend_all
from registry.expressions.expression import Expression, ExpressionError, compile_expression
from registry.expressions.values import MAX_TEXT, to_text

OPEN, CLOSE = "${{", "}}"
Render = Callable[[Mapping[str, Any]], Any]
Report = Callable[[Path, Problem], None]


@dataclass(frozen=True, slots=True)
class Placed:
    """An expression inside a value: path of the text that holds it, offset in that text."""

    path: Path
    offset: int
    expression: Expression


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled value. source: as written. literal: it holds no expression."""

    source: Any
    expressions: tuple[Placed, ...] = field(repr=False)
    _render: Render = field(repr=False, compare=False)

    @property
    def literal(self) -> bool:
        return not self.expressions

    @property
    def names(self) -> frozenset[str]:
        """The dotted paths it reads."""
        return frozenset().union(*(placed.expression.names for placed in self.expressions))

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value in a scope; a fresh copy each time. Raises ExpressionError."""
        return self._render(scope)


def compile_template(value: Any, *, roots: Iterable[str] | None = None,
                     report: Report | None = None) -> Template:
    """Compile any JSON value.

    A text that is only one `${{ }}` keeps the type of its value; in mixed text null is "".
    report: told (path in the value, problem with the column in that text) of each mistake;
    without it they are raised as InvalidWorkflow.
    """
    problems: list[Problem] = []
    placed: list[Placed] = []
    allowed = None if roots is None else frozenset(roots)
    tell = report or (lambda path, problem: problems.append(problem))
    render = _build(value, (), allowed, placed, tell)
    if problems:
        raise InvalidWorkflow(problems)
    return Template(value, tuple(placed), render)


def _build(value: Any, path: Path, roots: frozenset[str] | None, placed: list[Placed],
           tell: Report) -> Render:
    if isinstance(value, Mapping):
        entries = [(key, _build(item, (*path, key), roots, placed, tell))
                   for key, item in value.items()]
        return lambda scope: {key: render(scope) for key, render in entries}
    if isinstance(value, list | tuple):
        items = [_build(item, (*path, index), roots, placed, tell)
                 for index, item in enumerate(value)]
        return lambda scope: [render(scope) for render in items]
    if not isinstance(value, str) or OPEN not in value:
        return lambda scope: value
    return _text(value, path, roots, placed, tell)


def _text(text: str, path: Path, roots: frozenset[str] | None, placed: list[Placed],
          tell: Report) -> Render:
    pieces: list[str | Expression] = []
    for piece, offset, is_expression in split(text):
        if not is_expression:
            pieces.append(piece)
        elif offset + len(piece) == len(text):
            tell(path, Problem(1, offset - len(OPEN) + 1, "unclosed",
                               "'${{' is never closed; write ${{ … }}"))
        else:
            try:
                expression = compile_expression(piece.strip(), roots=roots)
            except InvalidWorkflow as error:
                start = offset + len(piece) - len(piece.lstrip())
                for problem in error.problems:
                    tell(path, replace(problem, column=problem.column + start))
            else:
                start = offset + len(piece) - len(piece.lstrip())
                placed.append(Placed(path, start, expression))
                pieces.append(expression)
    if len(pieces) == 1 and isinstance(pieces[0], Expression):
        return pieces[0].evaluate
    return lambda scope: _joined(pieces, scope)


def split(text: str) -> Iterator[tuple[str, int, bool]]:
    """The pieces of a text: (piece, offset, whether it is an expression).

    `}}` inside quotes does not close. An expression that is never closed reaches the end.
    """
    index = 0
    while (start := text.find(OPEN, index)) >= 0:
        if start > index:
            yield text[index:start], index, False
        start += len(OPEN)
        end = _closing(text, start)
        yield text[start:end], start, True
        index = end + len(CLOSE)
    if index < len(text):
        yield text[index:], index, False


def _closing(text: str, index: int) -> int:
    quote = ""
    while index < len(text):
        sign = text[index]
        if quote and sign == "\\":
            index += 1
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif text.startswith(CLOSE, index):
            return index
        index += 1
    return len(text)


def _joined(pieces: list[str | Expression], scope: Mapping[str, Any]) -> str:
    text = "".join(piece if isinstance(piece, str) else _written(piece, scope)
                   for piece in pieces)
    if len(text) > MAX_TEXT:
        raise ExpressionError("a text made of ${{ … }} is longer than 64 KB")
    return text


def _written(expression: Expression, scope: Mapping[str, Any]) -> str:
    value = expression.evaluate(scope)
    try:
        with Budget():
            spend_all([value])
    except TooMuchError as error:
        raise expression.refused(error) from error
    return to_text(value)
