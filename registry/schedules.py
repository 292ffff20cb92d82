"""Checks of what a schedule says; the clock itself is the queue's."""

import re

from omni.errors import InvalidInput
from registry.functions.times import zone

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12),
           ("weekday", 0, 7))
_PART = re.compile(r"(\*|[a-z]{3}(-[a-z]{3})?|[0-9]{1,2}(-[0-9]{1,2})?)(/[1-9][0-9]?)?", re.ASCII)
_NAMES = frozenset(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                    "dec", "mon", "tue", "wed", "thu", "fri", "sat", "sun"])


def cron_trouble(text: str) -> str:
    """What is wrong with a cron line of five fields, "" when nothing is."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return "needs five fields: minute hour day month weekday, like '0 9 * * 1'"
    for part, (name, least, most) in zip(parts, _FIELDS, strict=True):
        if not all(_fits(item, least, most) for item in part.lower().split(",")):
            return f"'{part}' is not a {name}, {least} to {most}"
    return ""


def _fits(item: str, least: int, most: int) -> bool:
    if _PART.fullmatch(item) is None:
        return False
    base = item.split("/")[0]
    numbers = [int(digits) for digits in re.findall(r"[0-9]+", base)]
    words = re.findall(r"[a-z]+", base)
    return all(least <= number <= most for number in numbers) and all(
        word in _NAMES and most in (7, 12) for word in words)


def zone_trouble(name: str) -> str:
    """What is wrong with the name of a time zone, "" when nothing is."""
    try:
        zone(name)
    except InvalidInput as error:
        return error.message
    return ""
