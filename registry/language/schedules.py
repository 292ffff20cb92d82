"""When a schedule is due: cron lines of five fields in a time zone, and what is wrong with one.

Where the clocks of the zone are put forward, the times they leave out are due once, at the moment
of the jump. Where they are put back, a time that comes twice is due the first time only. A line
whose hour field begins with `*` follows real minutes instead: it is due in every real hour.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from omni.errors import InvalidInput
from registry.expressions.functions.times import zone

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12),
           ("weekday", 0, 7))
_ITEM = re.compile(r"(?:\*|([a-z]{3}|[0-9]{1,2})(?:-([a-z]{3}|[0-9]{1,2}))?)(?:/([1-9][0-9]?))?",
                   re.ASCII)
_WORDS: Mapping[str, Mapping[str, int]] = {
    "month": {word: number for number, word in enumerate(
        "jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)},
    "weekday": {word: number for number, word in enumerate(
        "sun mon tue wed thu fri sat".split())},
}
_MONTH_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY = timedelta(days=1)
_LOOK_AHEAD = 40 * 366  # days; the 29th of February falls on each weekday once in 40 years


@dataclass(frozen=True, slots=True)
class Cron:
    """A line, read. weekdays: 0 is Sunday. either: day or weekday is enough, because both say
    something. real: it follows real minutes.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    real: bool

    def falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.either else all(fits)


@lru_cache(maxsize=1024)
def read(text: str) -> Cron:
    """A cron line. Raises InvalidInput that names the field."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise InvalidInput("needs five fields: minute hour day month weekday, like '0 9 * * 1'")
    minutes, hours, days, months, weekdays = (
        frozenset().union(*(_values(item, part, *field) for item in part.split(",")))
        for part, field in zip(parts, _FIELDS, strict=True))
    either = not (parts[2].startswith("*") or parts[4].startswith("*"))
    if not either and not any(day <= _MONTH_DAYS[month] for day in days for month in months):
        raise InvalidInput(f"no day fits: month '{parts[3]}' has no day '{parts[2]}'")
    return Cron(tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays, either,
                real=parts[1].startswith("*"))


def _values(item: str, part: str, name: str, least: int, most: int) -> frozenset[int]:
    wrong = InvalidInput(f"'{part}' is not a {name}, {least} to {most}")
    found = _ITEM.fullmatch(item)
    if found is None:
        raise wrong
    first, last, step = found.groups()
    start = least if first is None else _number(first, name, wrong)
    if last:
        end = _number(last, name, wrong)
        end = 7 if name == "weekday" and end == 0 < start else end  # sat-sun
    else:
        end = most if first is None or step else start
    if not (least <= start <= most and least <= end <= most):
        raise wrong
    if end < start:
        raise InvalidInput(f"'{item}' runs backwards; write the smaller {name} first")
    values = range(start, end + 1, int(step or 1))
    return frozenset(value % 7 for value in values) if name == "weekday" else frozenset(values)


def _number(word: str, name: str, wrong: InvalidInput) -> int:
    if word.isdigit():
        return int(word)
    if word not in _WORDS.get(name, {}):
        raise wrong
    return _WORDS[name][word]


def cron_trouble(text: str) -> str:
    """What is wrong with a cron line of five fields, "" when nothing is."""
    try:
        read(text)
    except InvalidInput as error:
        return error.message
    return ""


def zone_trouble(name: str) -> str:
    """What is wrong with the name of a time zone, "" when nothing is."""
    try:
        zone(name)
    except InvalidInput as error:
        return error.message
    return ""


def digest(cron: str, timezone: str) -> str:
    """12 hex digits that name a line in a zone, however its spaces are written."""
    text = f"{' '.join(cron.lower().split())}\n{timezone}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def due_times(cron: str, timezone: str, *, after: datetime, until: datetime,
              most: int | None = None) -> list[datetime]:
    """The due times in (after, until], UTC, oldest first; with `most` only the newest so many.

    Raises InvalidInput for a line or a zone that is none.
    """
    line, place = read(cron), zone(timezone)
    found: set[datetime] = set()
    is_last = False
    for day in reversed(_days(place, after, until)):
        found.update(moment for moment in _moments(line, place, day) if after < moment <= until)
        if is_last:
            break
        is_last = most is not None and len(found) >= most  # the day before may mix with this one
    times = sorted(found)
    return times if most is None else times[-most:] if most else []


def count_due(cron: str, timezone: str, *, after: datetime, until: datetime) -> int:
    """How many due times there are in (after, until]; quick also for years of minutes."""
    line, place = read(cron), zone(timezone)
    days = _days(place, after, until)
    exact: set[int] = {0, 1, 2, len(days) - 3, len(days) - 2, len(days) - 1}
    for number, day in enumerate(days):
        if _steady_offset(place, datetime.combine(day, time())) is None:
            exact.update((number - 1, number, number + 1))
    found: set[datetime] = set()
    count = 0
    for number, day in enumerate(days):
        if number in exact:
            found.update(moment for moment in _moments(line, place, day)
                         if after < moment <= until)
        elif line.falls_on(day):
            count += len(line.hours) * len(line.minutes)
    return count + len(found)


def _days(place: tzinfo, after: datetime, until: datetime) -> list[date]:
    """The days of the zone between two moments, and one more at each end."""
    first, last = after.astimezone(place).date() - _DAY, until.astimezone(place).date() + _DAY
    return [first + _DAY * number for number in range((last - first).days + 1)]


def next_due(cron: str, timezone: str, *, after: datetime) -> datetime | None:
    """The first due time after a moment, UTC; None when there is none in 40 years."""
    line, place = read(cron), zone(timezone)
    day = after.astimezone(place).date() - _DAY
    for _ in range(_LOOK_AHEAD):
        # Clocks put back over midnight mix the ends of two days.
        found = [moment for moment in _moments(line, place, day) if moment > after]
        if found:
            found += [moment for moment in _moments(line, place, day + _DAY) if moment > after]
            return min(found)
        day += _DAY
    return None


def _moments(line: Cron, place: tzinfo, day: date) -> list[datetime]:
    """The due times of one day of the zone, in UTC, without order."""
    if not line.falls_on(day):
        return []
    midnight = datetime.combine(day, time())
    locals_ = [timedelta(hours=hour, minutes=minute)
               for hour in line.hours for minute in line.minutes]
    offset = _steady_offset(place, midnight)
    if offset is not None:
        start = midnight.replace(tzinfo=UTC) - offset
        return [start + length for length in locals_]
    return [moment for length in locals_
            for moment in _of_wall(midnight + length, place, real=line.real)]


@lru_cache(maxsize=4096)
def _steady_offset(place: tzinfo, midnight: datetime) -> timedelta | None:
    """The offset of a whole day; None on a day on which the clocks change."""
    offsets = {(midnight + timedelta(hours=hour)).replace(tzinfo=place, fold=fold).utcoffset()
               for hour in range(25) for fold in (0, 1)}
    return offsets.pop() if len(offsets) == 1 else None


def _of_wall(local: datetime, place: tzinfo, *, real: bool) -> list[datetime]:
    """The moments at which a clock of the zone shows this time, as far as they are due."""
    both = [local.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [moment for moment in both
             if moment.astimezone(place).replace(tzinfo=None) == local]
    if real:
        return shown
    return [min(shown)] if shown else [_jump(min(both), max(both), place)]


def _jump(low: datetime, high: datetime, place: tzinfo) -> datetime:
    """The second between two moments at which the clocks were put forward."""
    old = low.astimezone(place).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(place).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
