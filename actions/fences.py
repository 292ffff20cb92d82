"""Where code stands in a text, so that nobody cuts it. Pure.

Fences as Markdown has them, also in lists; a pair of ``` within lines, as WhatsApp has it.
Source: CommonMark 0.31.2, sections 4.5 "Fenced code blocks" and 5.2 "List items".
"""

import re
from collections.abc import Iterator

_FENCE = re.compile(r"`{3,}(?=[^`\n]*$)|~{3,}", re.MULTILINE)
_ITEM = re.compile(r"(?:[-+*]|[0-9]{1,9}[.)])(?:[ \t]{1,4}(?=\S)|(?=[ \t\r]*$|[ \t]{5}))",
                   re.MULTILINE)
_INDENT = re.compile(r"[ \t]*")
_PAIR = re.compile(r"(?<!`)`{3,}(?!`)")
# A line that opens a fence wherever it stands, in a quote and in a list too.
_OPENING = re.compile(r"^[ \t]*(?:(?:>|[-+*]|[0-9]{1,9}[.)])[ \t]*)*(`{3,}(?=[^`\n]*$)|~{3,})",
                      re.MULTILINE)
_MOST = 3  # columns a fence may be indented within what holds it


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each piece of code, in order."""
    items: list[int] = []  # columns at which the open list items begin their text
    unclosed: set[str] = set()
    at = 0
    while at < len(text):
        begins = text.rfind("\n", 0, at) + 1
        ends = text.find("\n", at)
        ends = len(text) if ends < 0 else ends
        fence = _opened(text, at, items) if at == begins else None
        span = _fenced(text, begins, fence, items[-1] if items else 0, unclosed) if fence else None
        span = span or _paired(text, at, ends, unclosed)
        if span:
            yield span
            at = span[1]
        else:
            at = ends + 1


def _opened(text: str, begins: int, items: list[int]) -> re.Match[str] | None:
    """The fence a line opens; `items` are those the line is in, afterwards."""
    at = _text_after(text, begins)
    if text[at:at + 1] in ("", "\r", "\n"):
        return None  # a blank line ends no item
    while items and at - begins < items[-1]:
        items.pop()
    outside = items[-1] if items else 0
    while at - begins - outside <= _MOST and (item := _ITEM.match(text, at)):
        outside = item.end() - begins + (not text[item.end() - 1].isspace())
        items.append(outside)
        at = _text_after(text, item.end())
    return _FENCE.match(text, at) if at - begins - outside <= _MOST else None


def _text_after(text: str, at: int) -> int:
    blanks = _INDENT.match(text, at)
    return blanks.end() if blanks else at


def _fenced(text: str, begins: int, fence: re.Match[str], column: int,
            unclosed: set[str]) -> tuple[int, int]:
    """From the line of a fence to the same sign at least as long.

    One that is never closed ends where a pair within lines does, with its list item, or with the
    text. People leave code in lists unindented: the item ends no code that is closed later.
    """
    sign, length = fence[0][0], len(fence[0])
    closing = _find(rf"^[ \t]{{0,{column + _MOST}}}{sign}{{{length},}}[ \t\r]*$", text,
                    fence.end(), unclosed)
    if closing:
        return begins, closing.end()
    pair = _find(rf"(?<!`){fence[0]}(?!`)", text, fence.end(), unclosed) if sign == "`" else None
    if pair:
        return begins, pair.end()
    after = re.compile(rf"^[ \t]{{0,{column - 1}}}[^\s]", re.MULTILINE).search(
        text, fence.end()) if column else None
    end = after.start() if after else len(text)
    return begins, fence.end() + len(text[fence.end():end].rstrip())


def _paired(text: str, at: int, ends: int, unclosed: set[str]) -> tuple[int, int] | None:
    """From ``` within a line to the next that is as long, maybe lines later, but not in a fence."""
    for opening in _PAIR.finditer(text, at, ends):
        closing = _find(rf"(?<!`){opening[0]}(?!`)", text, opening.end(), unclosed)
        if closing and not _is_fenced(text, ends, closing.end(), unclosed):
            return opening.start(), closing.end()
    return None


def _is_fenced(text: str, begins: int, ends: int, unclosed: set[str]) -> bool:
    """Whether a fence that is closed later begins between these."""
    if ends <= begins:
        return False
    after = text.find("\n", ends)
    return any(_find(rf"^[ \t>]*{opening[1][0]}{{{len(opening[1])},}}[ \t\r]*$", text,
                     opening.end(), unclosed)
               for opening in _OPENING.finditer(text, begins, after if after >= 0 else len(text)))


def _find(pattern: str, text: str, at: int, failed: set[str]) -> re.Match[str] | None:
    """The next place of a pattern; what was not found once is not looked for again."""
    if pattern in failed:
        return None
    found = re.compile(pattern, re.MULTILINE).search(text, at)
    if found is None:
        failed.add(pattern)
    return found
