"""Turns the parsed tree of an expression into closures over a scope.

Only what is named here exists in the language; any other part of Python is a problem with its
place.
"""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.expressions import evaluation, names, operators, patterns, unknown_names
from registry.expressions.evaluation import Run
from registry.expressions.functions import FUNCTIONS
from registry.expressions.wording import FOREIGN, INSTEAD, Mistake, unmask

LITERALS = {"true": True, "false": False, "null": None}
MAX_INTEGER = 10**15

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operators.add, ast.Sub: operators.subtract, ast.Mult: operators.multiply,
    ast.Div: operators.divide, ast.Mod: operators.remainder}
_ORDER: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}


@dataclass(frozen=True, slots=True)
class Read:
    """One path an expression reads. offsets: where each part of it stands in the source."""

    path: tuple[str, ...]
    offsets: tuple[int, ...]


class Compiler:
    """One expression's walk: collects mistakes and the paths that are read."""

    def __init__(self, masked: str, roots: frozenset[str]) -> None:
        self.masked = masked
        self.roots = roots
        self.mistakes: list[Mistake] = []
        self.reads: list[Read] = []

    def run(self, node: ast.expr) -> Run:
        """The closure of a node. A part outside the language is noted and reads as null."""
        build = _BUILDERS.get(type(node))
        if build is not None:
            return build(self, node)
        return self._foreign(node, node)

    def constant(self, node: ast.Constant) -> Run:
        return evaluation.constant(self._literal(node))

    def name(self, node: ast.Name) -> Run:
        if node.id in LITERALS:
            return evaluation.constant(LITERALS[node.id])
        return self.path(node)

    def path(self, node: ast.expr) -> Run:
        """`event.text`, `a['b']`, `list[0]`: a static path where possible."""
        keys: list[tuple[str, int]] = []
        while not isinstance(node, ast.Name):
            key = self._static_key(node)
            if key is None:
                return self._beyond(node, keys)
            keys.append(key)
            node = node.value  # type: ignore[attr-defined]
        if node.id in LITERALS:
            return evaluation.constant(None)
        keys.append((node.id, self._offset(node)))
        keys.reverse()
        read = Read(tuple(key for key, _ in keys), tuple(offset for _, offset in keys))
        mistake = unknown_names.of_path(read.path, read.offsets, self.roots)
        if mistake is None:
            self.reads.append(read)
        else:
            self.mistakes.append(mistake)
        return evaluation.path(read.path)

    def boolean(self, node: ast.BoolOp) -> Run:
        parts = tuple(self.run(value) for value in node.values)
        return (evaluation.all_of if isinstance(node.op, ast.And) else evaluation.any_of)(parts)

    def unary(self, node: ast.UnaryOp) -> Run:
        if isinstance(node.op, ast.Not):
            value = self.run(node.operand)
            return evaluation.negated(value)
        if isinstance(node.op, ast.USub):
            value = self.run(node.operand)
            return lambda scope: operators.negate(value(scope))
        return self._foreign(node.op, node)

    def binary(self, node: ast.BinOp) -> Run:
        calculate = _BINARY.get(type(node.op))
        if calculate is None:
            return self._foreign(node.op, node)
        left, right = self.run(node.left), self.run(node.right)
        return lambda scope: calculate(left(scope), right(scope))

    def conditional(self, node: ast.IfExp) -> Run:
        test, yes, no = self.run(node.test), self.run(node.body), self.run(node.orelse)
        return lambda scope: yes(scope) if test(scope) else no(scope)

    def compare(self, node: ast.Compare) -> Run:
        """One comparison, or a chain like `1 < x < 5`."""
        links = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            links.append(self._link(op, left, right))
            left = right
        return links[0] if len(links) == 1 else evaluation.all_of(tuple(links))

    def sequence(self, node: ast.List | ast.Tuple) -> Run:
        items = tuple(self.run(item) for item in node.elts)
        return lambda scope: [item(scope) for item in items]

    def call(self, node: ast.Call) -> Run:
        """`lower(x)` or `x.lower()`."""
        if isinstance(node.func, ast.Attribute):
            word, given = node.func.attr, [node.func.value, *node.args]
            offset = self._end(node.func) - len(word)
        elif isinstance(node.func, ast.Name):
            word, given, offset = node.func.id, node.args, self._offset(node.func)
        else:
            return self._note(node, "only a function can be called")
        if node.keywords:
            given_to = FUNCTIONS.get(word)
            return self._note(node, "named arguments are not part of the language"
                              + (f"; write {given_to.signature}" if given_to else ""))
        known = FUNCTIONS.get(word)
        if known is None:
            self.mistakes.append(unknown_names.of_function(word, offset))
            return evaluation.constant(None)
        if len(given) < known.least or known.most is not None and len(given) > known.most:
            return self._note(node, f"'{word}' takes other arguments: {known.signature}",
                              code="arguments")
        if word == "matches":
            self._lint_pattern(given[1])
        arguments = tuple(self.run(argument) for argument in given)
        if known.uses_now:
            self.reads.append(Read(("now",), (offset,)))
            arguments = (evaluation.path(("now",)), *arguments)
        return evaluation.call(known, arguments)

    def _link(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> Run:
        compare = _ORDER.get(type(op))
        if compare is not None:
            one, other = self.run(left), self.run(right)
            return lambda scope: operators.ordered(compare, one(scope), other(scope))
        if isinstance(op, ast.Eq | ast.NotEq):
            same = self._equal(left, right)
            return same if isinstance(op, ast.Eq) else evaluation.negated(same)
        if isinstance(op, ast.In | ast.NotIn):
            inside = self._within(left, right)
            return inside if isinstance(op, ast.In) else evaluation.negated(inside)
        return self._note(right, "syntax error; use '==' or '!=' instead of 'is'")

    def _equal(self, left: ast.expr, right: ast.expr) -> Run:
        if isinstance(right, ast.Constant):
            return evaluation.equal_to(self.run(left), self._literal(right))
        return evaluation.equal(self.run(left), self.run(right))

    def _within(self, left: ast.expr, right: ast.expr) -> Run:
        item = self.run(left)
        if isinstance(right, ast.List | ast.Tuple) and all(
                isinstance(choice, ast.Constant) for choice in right.elts):
            choices = [self._literal(choice) for choice in right.elts
                       if isinstance(choice, ast.Constant)]
            return evaluation.one_of(item, choices)
        container = self.run(right)
        return lambda scope: operators.within(item(scope), container(scope))

    def _literal(self, node: ast.Constant) -> Any:
        value = node.value
        start = self._offset(node)
        if isinstance(value, str):
            if self.masked[start:start + 1] not in ("'", '"'):
                self._note(node, "a letter before a quote is not part of the language")
            return unmask(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float) and abs(value) <= MAX_INTEGER:
            return value
        written = names.shown(self.masked[start:self._end(node)])
        self._note(node, f"'{written}' is too large a number; put it in quotes"
                   if isinstance(value, int | float) else
                   f"'{written}' is not text, a number, true, false or null")
        return None

    def _static_key(self, node: ast.expr) -> tuple[str, int] | None:
        if isinstance(node, ast.Attribute):
            offset = self._end(node) - len(node.attr)
            if node.attr.startswith("_"):
                self.mistakes.append(Mistake(
                    offset, f"unknown name '{node.attr}': names do not start with '_'",
                    "unknown_name"))
            return node.attr, offset
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) \
                and isinstance(node.slice.value, str):
            return self._literal(node.slice), self._offset(node.slice)
        return None

    def _beyond(self, node: ast.expr, keys: list[tuple[str, int]]) -> Run:
        """Static keys after a part that is only known at run time."""
        if isinstance(node, ast.Subscript):
            base = evaluation.index(self.run(node.value), self.run(node.slice))
        else:
            base = self.run(node)
        for key, _ in reversed(keys):
            base = evaluation.member(base, key)
        return base

    def _lint_pattern(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            trouble = patterns.lint(unmask(node.value))
            if trouble:
                self._note(node, f"matches: {trouble}", code="pattern")

    def _foreign(self, part: ast.AST, node: ast.expr) -> Run:
        if isinstance(part, ast.BitOr):
            return self._note(node, "syntax error; '|' is not part of the language; use 'or', "
                                    "or call a function: lower(event.text)")
        if isinstance(part, ast.BitAnd):
            return self._note(node, "syntax error; use 'and' instead of '&'")
        word = FOREIGN.get(type(part), "this")
        hint = INSTEAD.get(type(part), "")
        return self._note(node, f"{word} is not part of the language{hint}")

    def _note(self, node: ast.expr, message: str, *, code: str = "syntax") -> Run:
        self.mistakes.append(Mistake(self._offset(node), message, code))
        return evaluation.constant(None)

    def _offset(self, node: ast.expr) -> int:
        return self._characters(node.col_offset)

    def _end(self, node: ast.expr) -> int:
        return self._characters(node.end_col_offset or 0)

    def _characters(self, size: int) -> int:
        """Python counts columns in UTF-8 bytes."""
        if self.masked.isascii():
            return size
        return len(self.masked.encode()[:size].decode(errors="ignore"))


_BUILDERS: dict[type[ast.AST], Callable[[Compiler, Any], Run]] = {
    ast.Constant: Compiler.constant, ast.Name: Compiler.name, ast.Attribute: Compiler.path,
    ast.Subscript: Compiler.path, ast.BoolOp: Compiler.boolean, ast.UnaryOp: Compiler.unary,
    ast.BinOp: Compiler.binary, ast.IfExp: Compiler.conditional, ast.Compare: Compiler.compare,
    ast.List: Compiler.sequence, ast.Tuple: Compiler.sequence, ast.Call: Compiler.call}
