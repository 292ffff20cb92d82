"""The text of an expression before it is parsed: string literals, and words of other languages.

Inside quotes a backslash only escapes a quote, a backslash, `n`, `r` and `t`; before anything else
it stays, so that a pattern like '\\d+' reads as written.
"""

import ast
import re
from dataclasses import dataclass

_BACKSLASH, _SINGLE, _DOUBLE = "\ufdd0", "\ufdd1", "\ufdd2"  # noncharacters, one per masked sign
_QUOTES = {"'": _SINGLE, '"': _DOUBLE}
_UNMASKED = {_SINGLE: "'", _DOUBLE: '"'}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", _BACKSLASH: "\\", **_UNMASKED}
TOO_DEEP = "the expression is nested too deeply or cannot be read"
_OPERATORS = (("&&", "and"), ("||", "or"), ("!==", "!="), ("===", "=="), ("<>", "!="))
_NOTABLE = re.compile(r"['\"\\&|!=<>#`]")  # quotes, and where _refuse_foreign may find something
_WORDS = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "And": "and", "Or": "or",
          "Not": "not", "contains": "contains(a, b)", "is": "=="}

FOREIGN: dict[type[ast.AST], str] = {
    ast.Lambda: "a lambda", ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string", ast.Slice: "a slice", ast.Dict: "a mapping", ast.Set: "a set",
    ast.Starred: "'*'", ast.NamedExpr: "':='", ast.Pow: "'**'", ast.FloorDiv: "'//'",
    ast.MatMult: "'@'", ast.BitXor: "'^'", ast.Invert: "'~'", ast.LShift: "'<<'",
    ast.RShift: "'>>'", ast.UAdd: "a leading '+'", ast.Await: "'await'", ast.Yield: "'yield'"}
INSTEAD: dict[type[ast.AST], str] = {
    ast.Lambda: "; call a function", ast.ListComp: "; use pluck() or a for_each step",
    ast.SetComp: "; use unique()", ast.GeneratorExp: "; use pluck() or a for_each step",
    ast.JoinedStr: "; write text with ${{ … }} in it",
    ast.Slice: "; use first(), last() or split()",
    ast.Dict: "; write the mapping in YAML, with ${{ … }} as values",
    ast.Set: "; write a list in [ ]", ast.FloorDiv: "; use round(a / b)"}
NO_LITERALS = {"null": "null", "none": "null", "nil": "null", "undefined": "null",
                "true": "true", "false": "false", "yes": "true", "no": "false"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a text is not an expression. offset: characters from its start."""

    offset: int
    message: str
    code: str = "syntax"
    suggestion: str = ""


class NotAnExpressionError(Exception):
    """Carries the mistake that ends the reading of a text."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def mask(text: str) -> str:
    """The text with backslashes inside string literals hidden from Python, same length.

    Raises NotAnExpressionError for comments, unclosed quotes and operators of other languages.
    """
    if any(mark in text for mark in (_BACKSLASH, _SINGLE, _DOUBLE)):
        raise NotAnExpressionError(Mistake(0, "a character of the expression is not allowed"))
    signs = list(text.replace("\r", " ").replace("\n", " ").replace("\t", " "))
    quote, start, done = "", 0, 0
    for found in _NOTABLE.finditer(text):
        index, sign = found.start(), found[0]
        if index < done:
            continue
        if quote and sign == "\\" and index + 1 < len(signs):
            signs[index] = _BACKSLASH
            follower = signs[index + 1]
            signs[index + 1] = {"\\": _BACKSLASH, **_QUOTES}.get(follower, follower)
            done = index + 2
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in _QUOTES:
            quote, start = sign, index
        else:
            _refuse_foreign(text, index)
    if quote:
        raise NotAnExpressionError(Mistake(
            start, "syntax error; this quote is never closed; ' #' starts a comment in YAML: "
                   "put the whole value in quotes"))
    return "".join(signs)


def _refuse_foreign(text: str, index: int) -> None:
    mistake = None
    for wrong, right in _OPERATORS:
        if mistake is None and text.startswith(wrong, index):
            mistake = instead(text, index, wrong, right)
    if mistake is None and text[index] == "!" and text[index + 1:index + 2] != "=":
        mistake = instead(text, index, "!", "not")
    if text[index] == "#":
        mistake = Mistake(index, "syntax error; a comment cannot stand inside an expression")
    if text[index] in "\\`":
        mistake = Mistake(index, f"syntax error at '{text[index]}' in {snippet(text, index + 1)}")
    if mistake:
        raise NotAnExpressionError(mistake)


def unmask(literal: str) -> str:
    """The text a masked string literal means."""
    if _BACKSLASH not in literal:
        return literal
    parts, index = [], 0
    while index < len(literal):
        if literal[index] != _BACKSLASH or index + 1 == len(literal):
            parts.append(literal[index])
            index += 1
            continue
        follower = literal[index + 1]
        parts.append(_ESCAPES.get(follower, "\\" + follower))
        index += 2
    return "".join(parts)


def instead(text: str, index: int, wrong: str, right: str) -> Mistake:
    message = f"syntax error; use '{right}' instead of '{wrong}' in " \
              f"{snippet(text, index + len(wrong))}"
    return Mistake(index, message, suggestion=right)


def snippet(text: str, end: int) -> str:
    """The text up to `end`, between backticks; dots stand for what was left out."""
    before = text[:end].strip()
    before = before if len(before) <= 60 else "..." + before[-57:]
    return f"`{before} ...`" if text[end:].strip() else f"`{before}`"


def explain(text: str, error: SyntaxError) -> Mistake:
    """A Python syntax error in our words. text: what was parsed."""
    outside = _outside_quotes(text)
    for word, right in _WORDS.items():
        index = f" {outside} ".find(f" {word} ")
        if index >= 0:
            return instead(text, index, word, right)
    if "?" in outside:
        return instead(text, outside.index("?"), "? :", "a if test else b")
    single = next((i for i, sign in enumerate(outside)
                   if sign == "=" and outside[max(0, i - 1):i] not in tuple("=<>!")
                   and outside[i:i + 2] != "=="), -1)
    if single >= 0:
        return instead(text, single, "=", "==")
    offset = max(0, min((error.offset or len(text) + 1) - 1, len(text)))
    reason = str(error.msg)
    if "too many nested" in reason:
        return Mistake(0, TOO_DEEP)
    if "leading zeros" in reason:
        return Mistake(offset, "syntax error; a number has no leading zeros; put it in quotes")
    if "never closed" in reason:
        return Mistake(offset, f"syntax error; {reason}; inside a YAML {{…}} a comma ends the "
                               "value unless it is in quotes")
    if "unmatched" in reason:
        return Mistake(offset, f"syntax error; {reason}")
    if offset >= len(text):
        return Mistake(offset, f"syntax error; {snippet(text, len(text))} ends too early")
    end = next((i for i in range(offset + 1, len(text)) if not text[i].isalnum()), len(text))
    return Mistake(offset, f"syntax error in {snippet(text, end)}")


def _outside_quotes(masked: str) -> str:
    """The text with what stands inside quotes blanked out."""
    signs, quote = [], ""
    for sign in masked:
        if quote:
            quote = "" if sign == quote else quote
            signs.append("\0")
        else:
            quote = sign if sign in _QUOTES else ""
            signs.append("\0" if quote else sign)
    return "".join(signs)
