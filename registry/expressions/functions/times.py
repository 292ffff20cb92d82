"""Functions on times: aware times, or ISO text with or without an offset (then UTC, or the zone
that `time` is given)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from omni.errors import InvalidInput
from registry.expressions.functions.table import function
from registry.expressions.values import need_number, need_text, to_moment, to_time

_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(:[0-9]{2})?", re.ASCII)
_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})", re.ASCII)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@lru_cache(maxsize=128)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises InvalidInput for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"'{name[:40]}' is not a time zone; write one like "
                           "America/Sao_Paulo") from None


def is_clock(text: Any) -> bool:
    """Whether a text is a time of day, like 09:00."""
    found = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    return found is not None and int(found[1]) < 24 and int(found[2]) < 60


def _seconds(now: Any, then: Any) -> float | None:
    start, end = to_moment(then), to_moment(now)
    if start is None or end is None:
        return None
    return (end - start).total_seconds()


def _local(time: Any, name: Any) -> datetime | None:
    moment = to_time(time)
    return None if moment is None else moment.astimezone(zone(need_text(name)))


def _since(now: Any, then: Any, *, unit: float) -> float | None:
    seconds = _seconds(now, then)
    return None if seconds is None else seconds / unit


@function("seconds_since(time)", least=1, uses_now=True)
def _seconds_since(now: Any, then: Any) -> float | None:
    """Seconds from a time until now; null when the time is missing."""
    return _since(now, then, unit=1)


@function("minutes_since(time)", least=1, uses_now=True)
def _minutes_since(now: Any, then: Any) -> float | None:
    """Minutes from a time until now; null when the time is missing."""
    return _since(now, then, unit=60)


@function("hours_since(time)", least=1, uses_now=True)
def _hours_since(now: Any, then: Any) -> float | None:
    """Hours from a time until now; null when the time is missing."""
    return _since(now, then, unit=3600)


@function("days_since(time)", least=1, uses_now=True)
def _days_since(now: Any, then: Any) -> float | None:
    """Days of 24 hours from a time until now; null when the time is missing."""
    return _since(now, then, unit=86400)


@function("seconds_between(earlier, later)", least=2)
def _seconds_between(earlier: Any, later: Any) -> float | None:
    """Seconds from one time to another; null when one is missing."""
    return _seconds(later, earlier)


@function("time(text, zone)", least=1, most=2, uses_now=True)
def _time(now: Any, value: Any, name: Any = "UTC") -> datetime | None:
    """The time an ISO text names, or '09:00' today; without an offset it is local in the zone."""
    place = zone(need_text(name))
    if isinstance(value, str):
        value = _local_text(value.strip(), now, place)
    moment = to_time(value)
    return None if moment is None else moment.astimezone(place)


def _local_text(text: str, now: Any, place: ZoneInfo) -> datetime:
    """A text without an offset as wall time of a zone.

    A time the clocks skip is as much later as they were put forward (02:30 is 03:30); one that
    comes twice is the first. Source: PEP 495, fold=0.
    """
    if _CLOCK.fullmatch(text):
        today = to_time(now)
        if today is None:
            raise InvalidInput("there is no date to go with the time of day")
        hours, _, rest = text.partition(":")
        text = f"{today.astimezone(place).date().isoformat()}T{hours:0>2}:{rest}"
    moment = to_time(text, local=place)
    assert moment is not None  # of a text
    return moment.astimezone(UTC)


@function("add_seconds(time, seconds)", least=2)
def _add_seconds(time: Any, seconds: Any) -> datetime | None:
    """The time so many seconds later."""
    return _later(time, timedelta(seconds=need_number(seconds)))


@function("add_hours(time, hours)", least=2)
def _add_hours(time: Any, hours: Any) -> datetime | None:
    """The time so many hours later."""
    return _later(time, timedelta(hours=need_number(hours)))


def _later(time: Any, by: timedelta) -> datetime | None:
    """So much real time later, in the time's own zone."""
    moment = to_time(time)
    return None if moment is None else (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


@function("hour(time, zone)", least=1, most=2)
def _hour(time: Any, name: Any = "UTC") -> int | None:
    """The hour, 0 to 23, in a time zone."""
    moment = _local(time, name)
    return None if moment is None else moment.hour


@function("weekday(time, zone)", least=1, most=2)
def _weekday(time: Any, name: Any = "UTC") -> str | None:
    """The day in a time zone: monday to sunday."""
    moment = _local(time, name)
    return None if moment is None else _DAYS[moment.weekday()]


@function("date(time, zone)", least=1, most=2)
def _date(time: Any, name: Any = "UTC") -> str | None:
    """The date in a time zone, like 2026-11-22."""
    moment = _local(time, name)
    return None if moment is None else moment.date().isoformat()


@function("in_hours(time, hours, zone)", least=2, most=3)
def _in_hours(time: Any, hours: Any, name: Any = "UTC") -> bool:
    """Whether a time falls in hours like '09:00-18:00' (or '22:00-06:00') of a time zone."""
    moment = _local(time, name)
    found = _HOURS.fullmatch(need_text(hours).replace(" ", ""))
    if not found:
        raise InvalidInput("needs hours like '09:00-18:00'")
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4]))
    if moment is None:
        return False
    minute = moment.hour * 60 + moment.minute
    return start <= minute < end if start <= end else minute >= start or minute < end
