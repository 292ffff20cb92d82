"""Where each part of a document stands, and one thing wrong at such a place."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Path = tuple[str | int, ...]
Mark = tuple[int, int]  # line, column; both from 1
MAX_PROBLEMS = 200  # of one document; whoever finds more stops there

_FILLED = re.compile(r"(?: *\n)*( *)")  # up to the first sign of a block of text
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document. suggestion: the word that was probably meant, or ""."""

    line: int
    column: int
    code: str
    message: str
    suggestion: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        return {"line": self.line, "column": self.column, "code": self.code,
                "message": self.message, "suggestion": self.suggestion,
                "severity": self.severity}


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by line; the last says so when the search ended early."""
    found = sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))
    if len(found) >= MAX_PROBLEMS:
        last = found[-1]
        found.append(Problem(last.line, last.column, "too_many", "too many problems to go on; "
                             "mend these and check again"))
    return found


@dataclass(slots=True)
class Document:
    """Plain data and where each part stands.

    marks: path of a value -> its mark; key_marks: path of a mapping's entry -> mark of its key.
    cuts: path of an unquoted text -> mark of the ` #` after it that looks like more of the text;
    key_cuts: the same of an entry's key.
    """

    data: Any
    source: str
    marks: dict[Path, Mark] = field(default_factory=dict)
    key_marks: dict[Path, Mark] = field(default_factory=dict)
    scalars: dict[Path, tuple[int, str]] = field(default_factory=dict)  # start index, style
    cuts: dict[Path, Mark] = field(default_factory=dict)
    key_cuts: dict[Path, Mark] = field(default_factory=dict)

    def mark(self, path: Path) -> Mark:
        """Mark of the value at `path`, or of the nearest part around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def key_mark(self, path: Path) -> Mark:
        return self.key_marks.get(path) or self.mark(path)

    def position(self, path: Path, offset: int) -> Mark:
        """Mark of character `offset` of the text at `path`.

        Exact for one-line scalars and `|` or `>` blocks; the start of the value otherwise.
        """
        line, column = self.mark(path)
        if path not in self.scalars:
            return line, column
        start, style = self.scalars[path]
        if style in ("|", ">"):
            return self._position_in_block(start, line, offset)
        return line, column + _width_before(self.source, start, style, offset)

    def _position_in_block(self, start: int, line: int, offset: int) -> Mark:
        first = self.source.find("\n", start) + 1
        if not first:
            return line, 1
        filled = _FILLED.match(self.source, first)
        indent = len(filled[1]) if filled else 0
        number = line + 1
        while (end := self.source.find("\n", first)) >= 0:
            length = max(0, end - first - indent) + 1
            if offset < length:
                break
            offset -= length
            first, number = end + 1, number + 1
        return number, indent + offset + 1


def _width_before(source: str, start: int, style: str, offset: int) -> int:
    """How many characters of source the first `offset` characters of a scalar's text take."""
    if not style:
        newline = source.find("\n", start)
        return offset if newline < 0 or start + offset < newline else 0
    index, sign = start + 1, "''" if style == "'" else "\\"
    while offset:
        special = source.find(sign, index, index + offset + len(sign) - 1)
        if special < 0:
            index += offset
            break
        offset -= special - index + 1
        escape = _ESCAPE.match(source, special) if style == '"' else None
        index = escape.end() if escape else special + len(sign)
    return 0 if "\n" in source[start:index] else index - start
