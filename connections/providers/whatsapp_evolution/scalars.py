"""Reads single values of a body, whatever serialisation the server's version chose.

Up to 2.2 bytes are base64 text and 64-bit numbers are text; 2.3 writes bytes as {"0": 12, ...} and
64-bit numbers as {"low", "high", "unsigned"}. A value of the wrong type reads as "nothing".
"""

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from typing import Any

_NUMBER = re.compile(r"^-?\d{1,20}(\.\d{1,12})?$", re.ASCII)
_LATEST = 32_503_680_000  # seconds; the year 3000
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this would be the year 5138


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """A string, or the digits of an integer; "" for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return ""


def as_bool(value: Any) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.lower() == "true")


def as_number(value: Any) -> int | float | None:
    """A number from a number, numeric text or a Long object; None otherwise."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.match(value):
        return float(value) if "." in value else int(value)
    if isinstance(value, dict):
        return _long(value)
    return None


def as_int(value: Any, *, most: int = (1 << 63) - 1) -> int | None:
    """A whole number between -`most` and `most`; None otherwise."""
    number = as_number(value)
    return int(number) if number is not None and abs(number) <= most else None


def as_count(value: Any) -> int | None:
    """A size, length or number of things: 0 or more, below 2**31."""
    number = as_int(value, most=(1 << 31) - 1)
    return number if number is not None and number >= 0 else None


def _long(value: dict[str, Any]) -> int | None:
    """A 64-bit number written as two signed 32-bit halves; `low` may be negative."""
    low, high = value.get("low"), value.get("high")
    if type(low) is not int or type(high) is not int:
        return None
    number = (high & 0xFFFFFFFF) << 32 | (low & 0xFFFFFFFF)
    return number if value.get("unsigned") is True or number < 1 << 63 else number - (1 << 64)


def as_bytes(value: Any) -> bytes | None:
    """Bytes from base64 text, an index-keyed object or a list of numbers."""
    if isinstance(value, str) and value:
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return None
    if isinstance(value, dict) and value:
        if value.get("type") == "Buffer":
            return as_bytes(value.get("data"))
        value = [value.get(str(index)) for index in range(len(value))]
    if isinstance(value, list) and value and all(_is_octet(octet) for octet in value):
        return bytes(value)
    return None


def _is_octet(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255


def as_base64(value: Any) -> str | None:
    found = as_bytes(value)
    return base64.b64encode(found).decode() if found else None


def as_hex(value: Any) -> str | None:
    found = as_bytes(value)
    return found.hex() if found else None


def as_moment(value: Any) -> datetime | None:
    """Aware UTC time from epoch seconds, epoch milliseconds or ISO text; None otherwise."""
    number = as_number(value)
    if number is not None:
        if not 0 < number < _LATEST * 1000:
            return None
        seconds = number / 1000 if number > _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def without_blanks(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that say something: no None, no empty text, list or object."""
    return {name: fact for name, fact in facts.items() if fact not in (None, "", [], {})}
