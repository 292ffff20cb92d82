"""What PyYAML says of text it cannot read, in words that name the way out."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

import yaml

from omni.yaml.marks import Problem
from omni.yaml.scan import Loader

_KEY = re.compile(r" *(- +)*[A-Za-z0-9_]+")
_COMMENTS = re.compile(r"\A(?:[ \t]*(?:#[^\n]*)?\n)+")
_MOST_TRIES = 2  # readings of a text to find the comment that explains an error
_MOST_PARTS = 40_000  # of one such reading
_WORDED = (  # part of PyYAML's message, our code, our message
    ("cannot start any token", "quote_whole", "a value cannot begin with {0}; put it in quotes"),
    ("unknown escape", "escape", "no escape \\{0} inside double quotes; write \\\\{0}, or use "
                                 "single quotes"),
    ("expected '<document start>'", "two_documents", "one document only; this stands after its "
                                                     "end"),
    ("found '-'", "indent", "a list item where a key is expected; is it indented enough?"),
    ("expected <block end>", "indent", "not in the same column as what it belongs to; indent it "
                                       "like the lines of the same mapping or list"),
    ("expected alphabetic or numeric", "quote_whole", "a value cannot begin with * or &; put it in "
                                                      "quotes"),
    ("expected the node content", "no_value", "a value is missing before this {0}"),
    ("sequence entries are not allowed", "indent", "a list item needs a line of its own"),
    ("chomping or indentation", "block", "text begins on the line after | or >"),
    ("expected ',' or", "unclosed", "',' or the closing bracket is missing before this"),
)


def syntax_problem(source: str, error: yaml.YAMLError, comments: Sequence[Any] = ()) -> Problem:
    """A YAML error with its place in `source`.

    comments: marks of those after something on their line; text that goes on behind one, or a
    bracket inside it, was probably not meant as a comment.
    """
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a character YAML does not allow at all
        before = source[:getattr(error, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return Problem(line, column, "bad_character", "this character is not allowed in YAML; "
                                                       "remove it")
    problem = str(getattr(error, "problem", None) or "cannot be read")
    opening = getattr(error, "context_mark", None)
    if opening and ("'<stream end>'" in problem or "end of stream" in problem):
        at = opening.index
        if not source[at:at + 1].strip():  # it names the end; the bracket is the last one written
            at = max(source.rfind("[", 0, at), source.rfind("{", 0, at), 0)
        before = source[:at]
        closing = "]" if source[at:at + 1] == "[" else "}"
        inside = (mark for mark in comments if mark.index > at
                  and closing in _line_from(source, mark.index))
        swallowed = next((mark for mark in islice(inside, _MOST_TRIES)
                          if _explains(source, mark, error)), None)
        return Problem(before.count("\n") + 1, len(before) - before.rfind("\n"), "unclosed",
                       f"this {source[at:at + 1]} is never closed{_hint(swallowed)}")
    if opening and "expected ':'" in problem:
        cut = next((mark for mark in comments if mark.line == opening.line
                    and not _is_deliberate(source, mark)), None)
        cut = cut if cut and _explains(source, cut, error) else None
        return Problem(opening.line + 1, opening.column + 1, "no_colon",
                       f"this key has no ': ' after it{_hint(cut)}")
    code, message = _explain(source, mark.index, problem)
    if code == "unclosed" or code == "indent" and ":" not in _line_from(source, mark.index):
        last = _ended_above(source, mark, comments)
        if last and not _is_deliberate(source, last) and _explains(source, last, error):
            message += _hint(last)
    return Problem(mark.line + 1, mark.column + 1, code, message)


def _is_deliberate(source: str, comment: Any) -> bool:
    """Whether it is written as comments are: with a space after the sign."""
    return source[comment.index + 1:comment.index + 2] in ("", " ", "\t", "\n", "\r", "#")


def _explains(source: str, comment: Any, error: yaml.YAMLError) -> bool:
    """Whether the text could be read, at least to a later line, if the comment were none.

    Comments on lines of their own below it would not stand within a text either.
    """
    line, end, below = source[comment.index + 1:].partition("\n")
    below = _COMMENTS.sub(lambda found: "\n" * found[0].count("\n"), below, count=1)
    read = f"{source[:comment.index]}_{line}{end}{below}"
    try:
        return all(number < _MOST_PARTS for number, _ in enumerate(yaml.parse(read, Loader=Loader)))
    except yaml.YAMLError as other:
        return _line_of(other) > _line_of(error)
    except (ValueError, OverflowError):  # an escape of no character
        return False


def _line_of(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line if mark else -1


def _line_from(source: str, index: int) -> str:
    return source[index:].partition("\n")[0]


def _ended_above(source: str, mark: Any, comments: Sequence[Any]) -> Any:
    """The comment that ended a text which goes on in the line of `mark`."""
    last = next((one for one in reversed(comments) if one.line < mark.line), None)
    if last is None:
        return None
    first, *between = source.split("\n")[last.line:mark.line]
    goes_on = mark.column >= len(first) - len(first.lstrip(" "))
    return last if goes_on and all(
        not line.strip() or line.lstrip().startswith("#") for line in between) else None


def _hint(comment: Any) -> str:
    """What to do about a comment that was not meant as one."""
    if comment is None:
        return ""
    return (f"; the ' #' in line {comment.line + 1}, column {comment.column + 1} begins a comment: "
            "put the whole text in quotes")


def _explain(source: str, index: int, problem: str) -> tuple[str, str]:
    if source[index:index + 1] == "\t" or "'\\t'" in problem:
        return "tab", "a tab is not allowed here; indent with spaces"
    if source[max(0, index - 1):index + 2] == "${{":
        return "unquoted_template", 'inside {…} or […] write "${{ … }}" in quotes'
    if source[index:index + 1] == "?" and "but got '?'" in problem:
        return "quote_whole", "inside {…} or […] text with '?' must be in quotes"
    if problem.startswith("mapping values"):
        if _KEY.fullmatch(source[source.rfind("\n", 0, index) + 1:index]):
            return "indent", "no key can stand here: the line above has no ': ', or this one is " \
                             "indented too far"
        return "unquoted_colon", "': ' inside an unquoted value; put the whole value in quotes"
    if source[:index].rstrip(" ")[-1:] in ("'", '"'):
        return "quote_whole", "text after a closing quote; put the whole value in quotes"
    for part, code, message in _WORDED:
        if part in problem:
            return code, message.format(source[index:index + 1])
    return "yaml", f"this is not YAML: {problem}"
