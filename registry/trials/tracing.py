"""A workflow whose expressions tell what they gave: each with its place, its source and its value.

Only trials read documents this way; a published version that runs has nothing to listen to.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from actions import library
from omni.errors import UnknownAction
from omni.yaml import profile
from omni.yaml.marks import Document, Path
from registry.expressions.expression import Expression, ExpressionError
from registry.expressions.templates import Template
from registry.expressions.values import plain
from registry.language import document
from registry.language.bodies import path_text
from registry.language.check_actions import Library
from registry.language.definition import Definition
from registry.language.grammar import Key
from registry.language.structure import WorkflowReader

MOST = 5_000  # evaluations kept of one trial
LONGEST = 2_000  # characters of a value that are kept
SECRET = "[secret]"


@dataclass(slots=True)
class Tracer:
    """What expressions gave, in order. left_out: evaluations beyond MOST."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0

    def note(self, place: "Place", expression: Expression, scope: Mapping[str, Any], value: Any,
             error: str) -> None:
        if len(self.seen) >= MOST:
            self.left_out += 1
            return
        turn = scope.get("loop")
        self.seen.append({
            "line": place.line, "column": place.column, "path": place.path,
            "source": expression.source, "turn": turn["index"] if turn else None,
            "value": SECRET if place.secret else shortened(value),
            "error": error})  # one that reads `secrets` shows no value


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands. secret: its value goes into a parameter that may be a secret."""

    line: int
    column: int
    path: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Traced:
    """ids: path of a step -> its id, "" for a step without one."""

    definition: Definition
    document: Document
    ids: Mapping[str, str]
    tracer: Tracer


def compile_traced(text: str, *, library: Library = library) -> Traced:
    """A document as `document.parse` gives it, traced. Raises InvalidWorkflow with every error."""
    checked = document.parse(text, library=library, published=True)
    reader = _TracedReader(profile.load(text), library)
    definition = reader.workflow()
    assert definition is not None  # it was read before
    return Traced(replace(definition, sends=checked.sends, answers=checked.answers),
                  reader.document,
                  {placed.step.path: placed.step.id or "" for placed in reader.steps},
                  reader.tracer)


def json_of(value: Any) -> Any:
    """A value as plain JSON data; what JSON has no word for becomes text."""
    try:
        return json.loads(json.dumps(value, default=_written, allow_nan=False))
    except ValueError:
        return str(value)


def shortened(value: Any) -> Any:
    """`json_of`, cut to LONGEST characters."""
    value = json_of(value)
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else plain(value)


@dataclass(frozen=True, slots=True)
class _TracedExpression(Expression):
    """told: called with scope, value and error of each evaluation."""

    told: Callable[[Mapping[str, Any], Any, str], None] = field(repr=False, compare=False)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        try:
            value = Expression.evaluate(self, scope)
        except ExpressionError as exc:
            self.told(scope, None, exc.message)
            raise
        self.told(scope, value, "")
        return value


class _TracedReader(WorkflowReader):
    """Reads a document that has no errors."""

    def __init__(self, source: Document, library: Library) -> None:
        super().__init__(source)
        self.library = library
        self.tracer = Tracer()

    def read_expression(self, path: Path, value: Any, key: Key, title: str) -> Expression | None:
        found = super().read_expression(path, value, key, title)
        return None if found is None else self._traced(found, path, 0)

    def template(self, path: Path, value: Any) -> Template:
        found = super().template(path, value)
        if found.literal:
            return found
        parts = [self._traced(placed.expression, (*path, *placed.path), placed.offset)
                 for placed in found.expressions]

        def render(scope: Mapping[str, Any]) -> Any:
            for part in parts:
                part.evaluate(scope)
            return found.render(scope)

        return replace(found, _render=render)

    def _traced(self, expression: Expression, path: Path, offset: int) -> Expression:
        line, column = self.document.position(path, offset)
        place = Place(line, column, path_text(path), self._is_secret(expression, path))

        def told(scope: Mapping[str, Any], value: Any, error: str) -> None:
            self.tracer.note(place, expression, scope, value, error)

        return _TracedExpression(expression.source, expression.names, expression.reads,
                                 expression.run, told)

    def _is_secret(self, expression: Expression, path: Path) -> bool:
        if any(read.path[0] == "secrets" for read in expression.reads):
            return True
        inner = path[len(self.owner):]
        if len(inner) < 2 or inner[0] != "with":
            return False
        action_id = str(self.document_at(self.owner).get("uses", "")).partition("@")[0]
        try:
            return inner[1] in self.library.get(action_id).secret
        except UnknownAction:
            return False
