"""What kind of value each part of an expression gives, as far as that is certain, and the parts
that can only fail.

Only certain kinds count: literals, columns and other fields of the table of names, inputs by their
declared type, and what operators and functions give. Null is of every kind, because a missing field
is never an error. What is not certain is left to the run.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni.errors import InvalidInput
from registry.expressions import literals, names
from registry.expressions.expression import tree
from registry.expressions.functions import FUNCTIONS
from registry.expressions.functions.times import is_clock
from registry.expressions.names import Kind
from registry.expressions.values import to_time
from registry.expressions.wording import Mistake, unmask

DESCRIBED: Mapping[str, str] = {
    "text": "text", "number": "a number", "boolean": "true or false", "time": "a time",
    "list": "a list", "mapping": "a mapping"}
INPUTS: Mapping[str, Kind] = {  # declared types whose values are of one kind
    **dict.fromkeys(("text", "duration", "agent", "audience", "handle", "instance", "workflow",
                     "url"), "text"),
    **dict.fromkeys(("number", "integer"), "number"), "boolean": "boolean", "mapping": "mapping",
    **dict.fromkeys(("list", "handles", "contacts"), "list")}
_UNTYPED = ("item", "vars", "inputs", "secrets")  # roots that hold whatever was put there
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_ANY = frozenset[str](DESCRIBED)
_TEXT, _NUMBER, _LIST = frozenset(("text",)), frozenset(("number",)), frozenset(("list",))
_TIME, _TEXTS = frozenset(("time", "text")), frozenset(("text", "list"))
_NUMBERS = frozenset(("number", "list"))
# function -> kinds of its arguments (the last one holds for those that follow), kind it gives
CALLS: Mapping[str, tuple[tuple[frozenset[str], ...], Kind | None]] = {
    "len": ((frozenset(("text", "list", "mapping")),), "number"), "default": ((_ANY,), None),
    "first": ((_LIST,), None), "last": ((_LIST,), None), "unique": ((_LIST,), "list"),
    "keys": ((frozenset(("mapping",)),), "list"), "pluck": ((_LIST, _TEXT), "list"),
    "overlaps": ((_LIST,), "boolean"), "number": ((_ANY,), "number"),
    "round": ((_NUMBER,), "number"), "format_number": ((_NUMBER, _NUMBER, _TEXT), "text"),
    "abs": ((_NUMBER,), "number"), "min": ((_NUMBERS,), "number"), "max": ((_NUMBERS,), "number"),
    "sum": ((_NUMBERS,), "number"), "lower": ((_TEXT,), "text"), "upper": ((_TEXT,), "text"),
    "trim": ((_TEXT,), "text"), "contains": ((_TEXTS, _ANY), "boolean"),
    "startswith": ((_TEXT, _TEXTS), "boolean"), "endswith": ((_TEXT, _TEXTS), "boolean"),
    "matches": ((_TEXT,), "boolean"), "glob": ((_TEXT, _TEXTS), "boolean"),
    "words": ((_TEXT, _TEXTS), "boolean"), "replace": ((_TEXT,), "text"),
    "digits": ((_TEXT,), "text"), "split": ((_TEXT,), "list"), "join": ((_LIST, _TEXT), "text"),
    "text": ((_ANY,), "text"), "json": ((_ANY,), "text"), "parse_json": ((_TEXT,), None),
    "seconds_since": ((_TIME,), "number"), "minutes_since": ((_TIME,), "number"),
    "hours_since": ((_TIME,), "number"), "days_since": ((_TIME,), "number"),
    "seconds_between": ((_TIME,), "number"), "time": ((_TIME, _TEXT), "time"),
    "add_seconds": ((_TIME, _NUMBER), "time"), "add_hours": ((_TIME, _NUMBER), "time"),
    "hour": ((_TIME, _TEXT), "number"), "weekday": ((_TIME, _TEXT), "text"),
    "date": ((_TIME, _TEXT), "text"), "in_hours": ((_TIME, _TEXT), "boolean")}


def look(source: str, *,
         inputs: Mapping[str, Kind] | None = None) -> tuple[Kind | None, list[Mistake]]:
    """The kind an expression gives, None when that is open, and the parts that can only fail.

    source: an expression that compiles. inputs: kinds of the declared inputs.
    """
    masked, node = tree(source)
    looked = _Look(masked, inputs or {})
    return looked.kind(node), looked.mistakes


@dataclass(slots=True)
class _Look:
    """One walk over an expression."""

    masked: str
    inputs: Mapping[str, Kind]
    mistakes: list[Mistake] = field(default_factory=list)

    def kind(self, node: ast.expr) -> Kind | None:
        rule = _RULES.get(type(node))
        return rule(self, node) if rule is not None else None

    def constant(self, node: ast.Constant) -> Kind | None:
        return _kind_of(node.value)

    def path(self, node: ast.expr) -> Kind | None:
        """A dotted path whose every part is written out."""
        keys: list[str] = []
        while isinstance(node, ast.Attribute | ast.Subscript):
            if isinstance(node, ast.Attribute):
                keys.append(node.attr)
            elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                keys.append(unmask(node.slice.value))
            else:
                self.kind(node.value)
                self.kind(node.slice)
                return None
            node = node.value
        if not isinstance(node, ast.Name):
            self.kind(node)
            return None
        if node.id in ("true", "false"):
            return None if keys else "boolean"
        return self._field((node.id, *reversed(keys)))

    def _field(self, path: tuple[str, ...]) -> Kind | None:
        root, *rest = path
        if root == "inputs" and len(rest) == 1:
            return self.inputs.get(rest[0])
        if root in _UNTYPED or root not in names.ROOTS:
            return None
        found, fields = names.ROOTS[root], names.ROOTS[root].fields
        if root == "steps":
            if len(rest) < 2:
                return None
            fields, rest = names.STEP, rest[1:]
        for part in rest:
            if fields is None or part not in fields:
                return None
            found, fields = fields[part], fields[part].fields
        return found.kind

    def boolean(self, node: ast.BoolOp) -> Kind | None:
        return _common([self.kind(value) for value in node.values])

    def unary(self, node: ast.UnaryOp) -> Kind | None:
        kind = self.kind(node.operand)
        if isinstance(node.op, ast.Not):
            return "boolean"
        if kind is not None and kind != "number":
            self._note(node, f"cannot calculate - {DESCRIBED[kind]}")
        return "number"

    def conditional(self, node: ast.IfExp) -> Kind | None:
        self.kind(node.test)
        return _common([self.kind(node.body), self.kind(node.orelse)])

    def sequence(self, node: ast.List | ast.Tuple) -> Kind:
        for item in node.elts:
            self.kind(item)
        return "list"

    def binary(self, node: ast.BinOp) -> Kind | None:
        left, right = self.kind(node.left), self.kind(node.right)
        sign = _SIGNS.get(type(node.op), "")
        if sign in ("/", "%") and isinstance(node.right, ast.Constant) and node.right.value == 0:
            self._note(node, "division by zero")
            return "number"
        if left is None or right is None:
            return None if sign in "+-" else "number"
        if left == right and left in {"+": ("number", "text", "list"), "-": ("number", "time")
                                      }.get(sign, ("number",)):
            return left if sign == "+" else "number"
        hint = ""
        if {left, right} == {"text", "number"}:
            hint = "; write number(…) of the text" + (", or text(…) of the number"
                                                      if sign == "+" else "")
        elif "time" in (left, right) and "number" in (left, right):
            hint = "; write add_seconds(…)"
        self._note(node, f"cannot calculate {DESCRIBED[left]} {sign} {DESCRIBED[right]}{hint}")
        return None

    def compare(self, node: ast.Compare) -> Kind:
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            self._link(op, left, right)
            left = right
        return "boolean"

    def _link(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> None:
        one, other = self.kind(left), self.kind(right)
        if isinstance(op, ast.In | ast.NotIn):
            if other in ("number", "boolean", "time") or (
                    other == "text" and one not in ("text", None)):
                what = DESCRIBED[one] if one else "a value"
                self._note(right, f"cannot look for {what} in {DESCRIBED[other]}")
            return
        if isinstance(op, ast.Eq | ast.NotEq) or one is None or other is None:
            return
        if "time" in (one, other) and {one, other} <= _TIME:
            for node in (left, right):
                self._time(node)
        elif one != other or one in ("boolean", "list", "mapping"):
            hint = "; write number(…) of the text" if {one, other} == {"text", "number"} else ""
            self._note(left, f"cannot compare {DESCRIBED[one]} with {DESCRIBED[other]}{hint}")

    def call(self, node: ast.Call) -> Kind | None:
        if isinstance(node.func, ast.Attribute):
            name, given = node.func.attr, [node.func.value, *node.args]
        else:
            name, given = getattr(node.func, "id", ""), node.args
        found = [self.kind(argument) for argument in given]
        takes, gives = CALLS.get(name, ((_ANY,), None))
        if name == "contains" and found and found[0] == "text":
            takes = (_TEXT, _TEXTS)
        known = len(self.mistakes)
        for number, (argument, kind) in enumerate(zip(given, found, strict=True)):
            fits = takes[min(number, len(takes) - 1)]
            if kind is not None and kind not in fits:
                needs = " or ".join(DESCRIBED[one] for one in DESCRIBED if one in fits)
                self._note(argument, f"{name}: needs {needs}, not {DESCRIBED[kind]}")
            elif "time" in fits and fits is not _ANY:
                self._time(argument, clock=name == "time")
        if name in FUNCTIONS and len(self.mistakes) == known:
            refusal = literals.refused(name, given, found, takes)
            if refusal:
                self._note(given[refusal.argument], f"{name}: {refusal.message}",
                           refusal.suggestion)
        return _common(found) if name == "default" else gives

    def _time(self, node: ast.expr, *, clock: bool = False) -> None:
        """Note a literal text that is no time."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return
        if clock and is_clock(node.value):
            return
        try:
            to_time(unmask(node.value))
        except InvalidInput as error:
            self._note(node, error.message)

    def _note(self, node: ast.expr, message: str, suggestion: str = "") -> None:
        offset = len(self.masked.encode()[:node.col_offset].decode(errors="ignore"))
        self.mistakes.append(Mistake(offset, f"{message}; this can only fail", "kind",
                                     suggestion))


def _kind_of(value: Any) -> Kind | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _common(kinds: list[Kind | None]) -> Kind | None:
    return kinds[0] if kinds and len(set(kinds)) == 1 else None


_RULES: dict[type[ast.AST], Callable[[_Look, Any], Kind | None]] = {
    ast.Constant: _Look.constant, ast.Name: _Look.path, ast.Attribute: _Look.path,
    ast.Subscript: _Look.path, ast.BoolOp: _Look.boolean, ast.UnaryOp: _Look.unary,
    ast.BinOp: _Look.binary, ast.IfExp: _Look.conditional, ast.Compare: _Look.compare,
    ast.List: _Look.sequence, ast.Tuple: _Look.sequence, ast.Call: _Look.call}
