"""Long answers become several messages, and @numbers become mentions. Pure."""

import random
import re
from collections.abc import Iterable

from actions import fences

MAX_PARTS = 20
_BLANK = re.compile(r"\n(?:[ \t\r]*\n)+")
_MENTION = re.compile(r"(?<![\w@.])@(\d{7,15})\b")


def split(text: str, *, enabled: bool = True) -> list[str]:
    """The messages of a text: cut at blank lines, empty ones left out.

    Code (`fences`) is never cut, however long it is; what is beyond MAX_PARTS stays together in the
    last message.
    """
    whole = text.strip()
    if not enabled:
        return [whole] if whole else []
    parts, start, at = [], 0, 0
    for code_begins, code_ends in (*fences.spans(whole), (len(whole), len(whole))):
        for blank in _BLANK.finditer(whole, at, code_begins):
            parts.append(whole[start:blank.start()].strip())
            start = blank.end()
        at = code_ends
    parts = [part for part in (*parts, whole[start:].strip()) if part]
    if len(parts) > MAX_PARTS:
        parts[MAX_PARTS - 1:] = ["\n\n".join(parts[MAX_PARTS - 1:])]
    return parts


def mentions_in(text: str) -> list[str]:
    """Numbers written as @5511999990000, in order, each once."""
    return list(dict.fromkeys(_MENTION.findall(text)))


def mentions_of(parts: list[str], given: Iterable[str], *, known: Iterable[str] = (),
                written: bool = True) -> list[list[str]]:
    """Whom each message of a split text mentions.

    given: handles; each belongs to the messages that write it as @name, else to the first.
    known: handles that are only mentioned where they are written. written: other numbers after an
    @ are mentions too. A handle with a domain (`123@lid`) stands for its number, so that nobody is
    mentioned twice and nobody else by the digits of a hidden id.
    """
    given = list(dict.fromkeys(handle for handle in given if handle))
    by_name: dict[str, str] = {}
    for handle in [*given, *known]:
        by_name.setdefault(_name(handle), handle)
    placed: list[list[str]] = []
    for part in parts:
        named = [by_name[name] for name in by_name if name and _writes(part, name)
                 and (written or by_name[name] in given)]
        numbers = mentions_in(part) if written else []
        placed.append(named + [number for number in numbers if number not in by_name])
    nowhere = [by_name[name] for name in dict.fromkeys(map(_name, given))
               if not any(by_name[name] in found for found in placed)]
    return [nowhere + found if index == 0 else found for index, found in enumerate(placed)]


def _name(handle: str) -> str:
    """What stands behind the @ of a text: the handle without domain, device and +."""
    return handle.partition("@")[0].partition(":")[0].removeprefix("+")


def _writes(part: str, name: str) -> bool:
    return re.search(rf"(?<![\w@.])@\+?{re.escape(name)}(?!\w)", part) is not None


def pause_before(key: str, *, least: float, most: float) -> float:
    """Seconds to wait before the part named `key`: random, and the same in a resumed run."""
    return random.Random(key).uniform(least, max(least, most))
