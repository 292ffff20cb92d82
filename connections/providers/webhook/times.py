"""Reads a moment in whatever form a sender writes it."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EARLIEST = 10 ** 8  # 1973, in seconds: smaller numbers are no dates
_LATEST = 4 * 10 ** 9  # 2096, in seconds


def zone(name: str) -> tzinfo:
    """A zone by IANA name or offset ("+02:00"). Raises ValueError."""
    if name[:1] in "+-" and name:
        offset = datetime.strptime(name, "%z").utcoffset()
        return timezone(offset or timedelta())
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"unknown time zone '{name}'; write Europe/Lisbon or +02:00") from exc


def moment(value: Any, *, unit: str = "auto", zone_name: str = "UTC") -> datetime | None:
    """An aware UTC time, None when `value` is not a believable one.

    unit: s, ms, us, ns, iso, or auto, which goes by the size of the number.
    zone_name: for texts without an offset of their own.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        number = None if unit == "iso" else _number(value)
        found = None if number is None else _from_number(number, unit)
        return found or _from_text(value.strip(), zone_name)
    return _from_number(value, unit) if isinstance(value, int | float) else None


def _number(text: str) -> float | int | None:
    plain = text.strip()
    if not plain.isascii() or not plain.replace(".", "", 1).isdigit() or len(plain) > 30:
        return None
    return float(plain) if "." in plain else int(plain)


def _from_number(value: float | int, unit: str) -> datetime | None:
    units = [unit] if unit in PER_SECOND else list(PER_SECOND)
    for per_second in (PER_SECOND[name] for name in units):
        if _EARLIEST <= value / per_second <= _LATEST:
            micros = (value * 1_000_000 // per_second if isinstance(value, int)
                      else round(value * 1_000_000 / per_second))
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    return None


def _from_text(text: str, zone_name: str) -> datetime | None:
    """ISO 8601, or the date of a mail (RFC 5322)."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            if found.tzinfo is None:
                found = found.replace(tzinfo=zone(zone_name))
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
