"""Durations as people write them, `90s` or `24h`, in seconds."""

import re

from omni.errors import InvalidInput

PATTERN = "^[0-9]+(ms|s|m|h|d)$"
LONGEST = 3_650 * 86_400.0  # seconds: ten years
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)", re.ASCII)


def seconds(text: str) -> float:
    """The seconds of `500ms`, `6s`, `3m`, `24h` or `7d`.

    Raises InvalidInput for anything else and for more than ten years.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidInput(f"'{text}' is not a duration; write a number and ms, s, m, h or d, "
                           "like 30s")
    length = int(found[1]) * _UNITS[found[2]]
    if length > LONGEST:
        raise InvalidInput(f"'{text}' is longer than ten years")
    return length
