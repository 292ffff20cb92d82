"""Reads conditions and values with `${{ }}`, and remembers where each expression stands."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from omni.errors import InvalidWorkflow
from omni.yaml.marks import Path
from omni.yaml.profile import Problem
from registry.expressions import names
from registry.expressions.expression import Expression, compile_expression
from registry.expressions.templates import OPEN, Template, compile_template, split
from registry.language.grammar import Key
from registry.language.reading import ValueReader

_DASHED = re.compile(r"\b(steps|inputs|vars)\.([a-z0-9_]+-[a-z0-9_-]+)")
_SECRETS = re.compile(r"\bsecrets\b")
_BRACES = re.compile(r"(?<!\$)\{\{.*\}\}")
MATCH_FIELDS = (*names.COLUMNS, "conversation", "contact", "instance", "actor")
LONGEST_FIELDS = 255  # characters of the names of one wait, as its column holds them


@dataclass(frozen=True, slots=True)
class PlacedExpression:
    """An expression of the document, at `offset` of the text at `path`.

    owner: path of the step it belongs to, () for triggers and gates.
    """

    path: Path
    offset: int
    expression: Expression
    owner: Path


@dataclass(slots=True)
class ExpressionReader(ValueReader):
    """roots, owner: the names that can be read in the part being read, and the step it is in."""

    expressions: list[PlacedExpression] = field(default_factory=list)
    roots: frozenset[str] = names.FILTER_ROOTS
    owner: Path = ()

    @contextmanager
    def names_also(self, *roots: str) -> Iterator[None]:
        """Expressions read inside may also use these roots."""
        before, self.roots = self.roots, self.roots | set(roots)
        try:
            yield
        finally:
            self.roots = before

    def read_expression(self, path: Path, value: Any, key: Key, title: str) -> Expression | None:
        """A bare expression."""
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            self.note(path, "type", f"{title} must be an expression, in quotes where YAML reads "
                                    "something else")
            return None
        if value.lstrip().startswith(("${{", "{{", "${")):
            self.note(path, "bare_expression",
                      f"{title} is an expression already; write it without ${{{{ }}}}")
            return None
        try:
            expression = compile_expression(value, roots=self.roots)
        except InvalidWorkflow as error:
            for problem in error.problems:
                self._note_within(path, problem, value)
            return None
        self.expressions.append(PlacedExpression(path, 0, expression, self.owner))
        if expression.constant and title.rsplit(".", 1)[-1] in ("if", "where", "while"):
            self.note(path, "constant", f"{title} is always the same: it reads nothing",
                      severity="warning")
        return expression

    def _note_within(self, path: Path, problem: Problem, text: str) -> None:
        place = problem.column - 1
        dashed = next((found for found in _DASHED.finditer(text, max(0, place - 140), place + 140)
                       if found.start() < place < found.end()), None)
        if dashed and problem.code == "unknown_name":
            right = f"{dashed[1]}['{dashed[2]}']"
            self.note(path, "dash", f"a name with '-' needs brackets; write {right}",
                      suggestion=right, offset=dashed.start())
            return
        self.note(path, problem.code, problem.message, suggestion=problem.suggestion,
                  offset=place)

    def template(self, path: Path, value: Any) -> Template:
        """A value that may hold `${{ }}`."""

        def report(below: Path, problem: Problem) -> None:
            self._note_within((*path, *below), problem, str(self.document_at((*path, *below))))

        self.note_names(path, value)
        template = compile_template(value, roots=self.roots, report=report)
        if not template.expressions:
            self._warn_of_braces(path, value)
        self.expressions.extend(
            PlacedExpression((*path, *placed.path), placed.offset, placed.expression, self.owner)
            for placed in template.expressions)
        return template

    def note_names(self, path: Path, value: Any) -> None:
        """Note `${{ }}` in the names of mappings, which are taken as they are written."""
        if isinstance(value, list):
            for number, item in enumerate(value):
                self.note_names((*path, number), item)
        elif isinstance(value, Mapping):
            for name, item in value.items():
                if isinstance(name, str) and OPEN in name:
                    self._note_name((*path, name), name)
                self.note_names((*path, name), item)

    def _note_name(self, path: Path, name: str) -> None:
        if any(_SECRETS.search(piece) for piece, _, is_expression in split(name) if is_expression):
            self.note_key(path, "secret", "no secret can stand in a name; 'secrets' can only be "
                                          f"used {names.ONLY_IN['secrets']}")
        else:
            self.note_key(path, "braces", "a name is taken as it is written; ${{ … }} is computed "
                                          "in values only", severity="warning")

    def _warn_of_braces(self, path: Path, value: Any) -> None:
        """Warn of the `{{ }}` of other languages in a text without an expression."""
        found = _BRACES.search(value) if isinstance(value, str) else None
        if found:
            self.note(path, "braces", "{{ … }} is plain text here; write ${{ … }} for a value",
                      offset=found.start(), severity="warning")
        elif isinstance(value, Mapping | list):
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, item in items:
                self._warn_of_braces((*path, key), item)

    def read_template(self, path: Path, value: Any, key: Key, title: str) -> Template:
        return self.template(path, value)

    def read_mapping(self, path: Path, value: Any, key: Key, title: str) -> Template | None:
        if isinstance(value, Mapping):
            return self.template(path, value)
        self.note(path, "not_a_mapping", f"{title} must be a mapping of names to values, "
                                         "like {count: 1}")
        return None

    def read_templates(self, path: Path, value: Any, key: Key,
                       title: str) -> dict[str, Template] | None:
        """Equality pairs: field of the event -> value."""
        if not isinstance(value, Mapping):
            self.note(path, "not_a_mapping", f"{title} must be a mapping of fields of the event, "
                                             "like {direction: inbound}")
            return None
        for name in value:
            if name not in MATCH_FIELDS:
                self.unknown_key((*path, name), name, MATCH_FIELDS, title)
        if len(",".join(map(str, value))) > LONGEST_FIELDS:
            self.note(path, "too_long", f"the names of {title} have more than {LONGEST_FIELDS} "
                      "characters together; compare the others in where")
        return {name: self.template((*path, name), item) for name, item in value.items()}
