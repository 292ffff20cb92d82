"""Long answers become several messages, and @numbers become mentions. Pure."""

import random
import re

MAX_PARTS = 20
_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")
_MENTION = re.compile(r"(?<![\w@.])@(\d{7,15})\b")


def split(text: str, *, enabled: bool = True) -> list[str]:
    """The messages of a text: cut at blank lines, empty ones left out.

    What is beyond MAX_PARTS stays together in the last one.
    """
    whole = text.strip()
    if not enabled:
        return [whole] if whole else []
    parts = [part.strip() for part in _BLANK_LINES.split(whole)]
    parts = [part for part in parts if part]
    if len(parts) > MAX_PARTS:
        parts[MAX_PARTS - 1:] = ["\n\n".join(parts[MAX_PARTS - 1:])]
    return parts


def mentions_in(text: str) -> list[str]:
    """Numbers written as @5511999990000, in order, each once."""
    return list(dict.fromkeys(_MENTION.findall(text)))


def pause_before(key: str, *, least: float, most: float) -> float:
    """Seconds to wait before the part named `key`: random, and the same in a resumed run."""
    return random.Random(key).uniform(least, max(least, most))
