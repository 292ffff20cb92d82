"""Functions on text."""

import json
import re
from math import isfinite
from typing import Any
from unicodedata import normalize

from connections.payload import sanitize_text
from omni.errors import InvalidInput
from registry.expressions import patterns
from registry.expressions.budget import spend, spend_read, spend_search
from registry.expressions.functions.table import function
from registry.expressions.sameness import INVISIBLE, among, comparable, folded, share
from registry.expressions.values import (
    MAX_ITEMS,
    MAX_TEXT,
    choices,
    limited,
    need_list,
    need_text,
    plain,
    to_text,
)

_GLOB_INPUT = 10_000
_GLOB_STEPS = 1_000
_TRIMMED = INVISIBLE + "".join(filter(str.isspace, map(chr, range(0x3001))))
MAX_DEPTH = 24  # levels of JSON that is read


@function("lower(text)", least=1)
def _lower(text: Any) -> str | None:
    """The text in small letters."""
    return None if text is None else limited(need_text(text).lower())


@function("upper(text)", least=1)
def _upper(text: Any) -> str | None:
    """The text in capitals."""
    return None if text is None else limited(need_text(text).upper())


@function("trim(text)", least=1)
def _trim(text: Any) -> str | None:
    """The text without space and invisible signs at both ends."""
    if text is None:
        return None
    spend_read(need_text(text), 2)
    return text.strip(_TRIMMED)


@function("contains(text, part, …)", least=2, endless=True, counts=True)
def _contains(where: Any, *parts: Any) -> bool:
    """Whether a text holds one of the parts (case is ignored), or a list one of the items."""
    if where is None:
        return False
    if isinstance(where, list | tuple):
        return among(parts[0], where) if len(parts) == 1 else share(parts, where)
    text = folded(need_text(where))
    return any(_holds(text, folded(part)) for part in choices(parts))


def _holds(text: str, part: str) -> bool:
    spend_search(text, part)
    return part in text


@function("startswith(text, part, …)", least=2, endless=True)
def _startswith(text: Any, *parts: Any) -> bool:
    """Whether the text starts with one of the parts."""
    return text is not None and comparable(need_text(text)).startswith(
        tuple(map(comparable, choices(parts))))


@function("endswith(text, part, …)", least=2, endless=True)
def _endswith(text: Any, *parts: Any) -> bool:
    """Whether the text ends with one of the parts."""
    return text is not None and comparable(need_text(text)).endswith(
        tuple(map(comparable, choices(parts))))


@function("matches(text, pattern)", least=2)
def _matches(text: Any, pattern: Any) -> bool:
    """Whether a regular expression occurs in the first 1,000 characters; try glob, words first."""
    return text is not None and patterns.search(need_text(text), need_text(pattern))


@function("glob(text, pattern, …)", least=2, endless=True)
def _glob(text: Any, *globs: Any) -> bool:
    """Whether the whole text fits a pattern with * and ?; letter case is ignored."""
    if text is None:
        return False
    text = folded(need_text(text))
    return any(glob_fits(text, folded(glob)) for glob in choices(globs))


def glob_fits(text: str, glob: str) -> bool:
    """Greedy match with one step back per star: never worse than len(text) * len(glob).

    Looks at the first 10,000 characters of the text.
    """
    text, glob = text[:_GLOB_INPUT], glob[:patterns.MAX_PATTERN]
    at = index = kept = 0
    star = -1  # where in the glob the last star stands
    steps = 0
    while index < len(text):
        steps += 1
        if not steps % _GLOB_STEPS:
            spend(2 * _GLOB_STEPS)
        if at < len(glob) and glob[at] == "*":
            star, kept = at, index
            at += 1
        elif at < len(glob) and glob[at] in ("?", text[index]):
            at, index = at + 1, index + 1
        elif star >= 0:
            kept += 1
            at, index = star + 1, kept
        else:
            return False
    return not glob[at:].strip("*")


@function("words(text, word, …)", least=2, endless=True)
def _words(text: Any, *words: Any) -> bool:
    """Whether one of the words or phrases stands in the text as a whole; case is ignored."""
    if text is None:
        return False
    spoken = f" {' '.join(_letters(need_text(text)))} "
    return any(_holds(spoken, f" {' '.join(_letters(word))} ") for word in choices(words))


def _letters(text: str) -> list[str]:
    spend_read(text, 3)
    return re.findall(r"\w+", folded(text))


@function("replace(text, old, new)", least=3)
def _replace(text: Any, old: Any, new: Any) -> str | None:
    """The text with every `old` replaced by `new`."""
    if text is None:
        return None
    text, old, new = need_text(text), need_text(old), need_text(new)
    if old not in text:
        text, old = normalize("NFC", text), normalize("NFC", old)
    if len(text) + text.count(old) * len(new) > MAX_TEXT * 2:
        raise InvalidInput("the text is longer than 64 KB")
    return limited(text.replace(old, new)) if old else text


@function("digits(text)", least=1)
def _digits(text: Any) -> str:
    """The digits 0 to 9 of a text: a phone number without signs."""
    return "" if text is None else "".join(re.findall(r"[0-9]+", need_text(text)))


@function("split(text, separator)", least=1, most=2)
def _split(text: Any, separator: Any = None) -> list[str]:
    """A list of the parts of a text, by default its words."""
    if text is None:
        return []
    if separator == "":
        raise InvalidInput("needs a separator that is not empty")
    parts = need_text(text).split(None if separator is None else need_text(separator), MAX_ITEMS)
    return parts[:MAX_ITEMS]


@function("join(list, separator)", least=1, most=2)
def _join(items: Any, separator: Any = ", ") -> str:
    """One text of all items of a list."""
    if items is None:
        return ""
    texts = [to_text(item) for item in need_list(items)]
    separator = need_text(separator)
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_TEXT * 2:
        raise InvalidInput("the text is longer than 64 KB")
    return limited(separator.join(texts))


@function("text(value)", least=1)
def _as_text(value: Any) -> str:
    """Any value as text; null is empty."""
    return limited(to_text(value))


@function("json(value)", least=1)
def _json(value: Any) -> str:
    """Any value as JSON text; parse_json reads it again."""
    return limited(json.dumps(value, ensure_ascii=False, default=plain))


@function("parse_json(text)", least=1)
def _parse_json(text: Any) -> Any:
    """What a JSON text holds, null when it is no JSON; at most 64 K characters and 24 levels."""
    if text is None:
        return None
    try:
        value = json.loads(limited(need_text(text)).strip(_TRIMMED), parse_constant=_no_number,
                           parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return _whole(value, MAX_DEPTH)


def _whole(value: Any, levels: int) -> Any:
    """Without halves of characters and NULs, which no column and no message can hold."""
    if isinstance(value, str):
        return sanitize_text(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise InvalidInput(f"the JSON has more than {MAX_DEPTH} levels")
    spend(10 * len(value) + 10)
    if isinstance(value, dict):
        return {sanitize_text(name): _whole(item, levels - 1) for name, item in value.items()}
    return [_whole(item, levels - 1) for item in value]


def _no_number(word: str) -> Any:
    """NaN and Infinity are Python's, not JSON's (RFC 8259, section 6)."""
    raise ValueError(word)


def _finite(digits: str) -> float:
    number = float(digits)
    return number if isfinite(number) else _no_number(digits)
