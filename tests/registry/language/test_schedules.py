"""What a schedule may say, and when it is due."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.language.schedules import (
    count_due,
    cron_trouble,
    digest,
    due_times,
    next_due,
    zone_trouble,
)

MINUTE = timedelta(minutes=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(cron, zone, start, end):
    """Due times as the clock of the zone shows them."""
    return [moment.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for moment in due_times(
        cron, zone, after=utc(start), until=utc(end))]


@pytest.mark.parametrize("line", [
    "0 9 * * 1", "*/5 * * * *", "0 0 1,15 * *", "30 8-18/2 * jan mon", "0 9 * * mon-fri",
    "59 23 31 12 7", "0 0 * * sat-sun", "5/20 0 29 2 *", "0 0 30 2 1", "0 0 * JAN-mar *"])
def test_cron_lines_of_five_fields_pass(line):
    assert cron_trouble(line) == ""


@pytest.mark.parametrize(("line", "trouble"), [
    ("0 9 * *", "needs five fields: minute hour day month weekday, like '0 9 * * 1'"),
    ("60 9 * * *", "'60' is not a minute, 0 to 59"),
    ("0 24 * * *", "'24' is not a hour, 0 to 23"),
    ("0 9 0 * *", "'0' is not a day, 1 to 31"),
    ("0 9 * 13 *", "'13' is not a month, 1 to 12"),
    ("0 9 * * xyz", "'xyz' is not a weekday, 0 to 7"),
    ("jan 9 * * *", "'jan' is not a minute, 0 to 59"),
    ("a;b 9 * * *", "'a;b' is not a minute, 0 to 59"),
    ("0 9 * mon *", "'mon' is not a month, 1 to 12"),
    ("0 9 * * jan", "'jan' is not a weekday, 0 to 7"),
    ("30-10 9 * * *", "'30-10' runs backwards; write the smaller minute first"),
    ("0 9 * * fri-tue", "'fri-tue' runs backwards; write the smaller weekday first"),
    ("0 9 30,31 2 *", "no day fits: month '2' has no day '30,31'"),
])
def test_wrong_cron_lines_name_the_field(line, trouble):
    assert cron_trouble(line) == trouble


def test_a_time_zone_must_exist():
    assert zone_trouble("America/Sao_Paulo") == ""
    assert zone_trouble("Mars/Base") == ("'Mars/Base' is not a time zone; write one like "
                                         "America/Sao_Paulo")


def test_a_line_keeps_its_name_when_its_spaces_change():
    assert digest("0  9 * * MON", "UTC") == digest(" 0 9 * * mon", "UTC")
    assert digest("0 9 * * 1", "UTC") != digest("0 9 * * 1", "Europe/Lisbon")


@pytest.mark.parametrize(("line", "days"), [
    ("0 9 * * mon-fri", [2, 3, 4, 5, 6]), ("0 9 * * sat-sun", [1, 7, 8]),
    ("0 9 * * 0", [1, 8]), ("0 9 * * 7", [1, 8]), ("0 9 */3 * *", [1, 4, 7]),
    ("0 9 4 * mon", [2, 4]), ("0 9 2/4 3 *", [2, 6]), ("0 9 * 4 *", [])])
def test_days_of_a_line(line, days):
    found = due_times(line, "UTC", after=utc("2026-03-01"), until=utc("2026-03-08T23:59"))

    assert [moment.day for moment in found] == days  # the 1st is a Sunday


def test_start_is_left_out_and_end_is_not():
    times = due_times("0 * * * *", "UTC", after=utc("2026-03-02T09:00"),
                      until=utc("2026-03-02T11:00"))

    assert times == [utc("2026-03-02T10:00"), utc("2026-03-02T11:00")]


@pytest.mark.parametrize(("most", "hours"), [
    (None, [1, 2, 3]), (2, [2, 3]), (0, []), (9, [1, 2, 3])])
def test_only_the_newest_times_are_given_when_they_are_bounded(most, hours):
    times = due_times("0 * * * *", "UTC", after=utc("2026-03-02"), until=utc("2026-03-02T03:30"),
                      most=most)

    assert [moment.hour for moment in times] == hours


def test_hour_that_does_not_exist_is_due_once_when_the_clocks_jump():
    # 29 March 2026, 01:00 UTC: from 02:00 to 03:00
    assert due("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00") == [
        "29 03:00 +0200", "30 02:30 +0200"]
    assert due("*/10 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29T12:00") == [
        "29 03:00 +0200"]
    assert due("0 2,3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29T12:00") == [
        "29 03:00 +0200"]


def test_hour_that_comes_twice_is_due_the_first_time():
    # 25 October 2026, 01:00 UTC: from 03:00 back to 02:00
    assert due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00") == [
        "25 02:30 +0200", "26 02:30 +0100"]


@pytest.mark.parametrize(("line", "spring", "autumn"), [
    ("0 * * * *", ["29 01:00 +0100", "29 03:00 +0200"],
     ["25 01:00 +0200", "25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]),
    ("30 */2 * * *", [], ["25 02:30 +0200", "25 02:30 +0100"])])
def test_line_for_every_hour_follows_real_hours(line, spring, autumn):
    assert due(line, "Europe/Berlin", "2026-03-28T23:30", "2026-03-29T01:00") == spring
    assert due(line, "Europe/Berlin", "2026-10-24T22:30", "2026-10-25T02:00") == autumn


def test_jump_of_half_an_hour():
    # Lord Howe, 4 October 2026: from 02:00 to 02:30; 5 April: from 02:00 back to 01:30
    assert due("15,45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T18:00") == [
        "04 02:30 +1100", "04 02:45 +1100"]
    assert due("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-04T18:00") == [
        "05 01:45 +1100"]
    assert due("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T16:00") == [
        "05 01:45 +1100", "05 01:45 +1030"]


def test_midnight_that_does_not_exist():
    # Sao Paulo, 4 November 2018: from 00:00 to 01:00
    assert due("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-05T12:00") == [
        "04 01:00 -0200", "05 00:00 -0200"]


def test_day_that_does_not_exist_is_due_when_the_clocks_jump_over_it():
    # Apia left out the whole 30 December 2011
    assert due("0 9 30 12 *", "Pacific/Apia", "2011-12-29", "2012-01-01") == ["31 00:00 +1400"]
    assert count_due("0 0 * * *", "Pacific/Apia", after=utc("2011-12-01"),
                     until=utc("2012-01-20")) == 29 + 1 + 20


ZONES = ("UTC", "Europe/Lisbon", "America/Sao_Paulo", "Australia/Lord_Howe", "America/New_York",
         "America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "Asia/Kolkata", "Asia/Tehran")
YEARS = range(2006, 2027)


@cache
def changes(zone):
    """When the clocks of a zone change, in some years; up to half a day before it."""
    place, moment, found = ZoneInfo(zone), datetime(YEARS[0], 1, 1, tzinfo=UTC), []
    while moment.year <= YEARS[-1]:
        later = moment + timedelta(hours=12)
        if moment.astimezone(place).utcoffset() != later.astimezone(place).utcoffset():
            found.append(moment)
        moment = later
    return found


def fields(least, most):
    number = st.integers(least, most)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    item = st.one_of(number.map(str), span, st.tuples(span, st.integers(1, 15)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"))
    return st.one_of(st.just("*"), st.integers(1, 20).map("*/{}".format),
                     st.lists(item, min_size=1, max_size=3).map(",".join))


LINES = st.tuples(fields(0, 59), st.one_of(fields(0, 23), fields(0, 4)), fields(1, 31),
                  st.just("*"), st.one_of(st.just("*"), fields(0, 6))).map(" ".join)


@st.composite
def windows(draw):
    """A zone and three days of it, mostly around a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    known = changes(zone)
    if known and draw(st.integers(0, 4)):
        middle = draw(st.sampled_from(known))
    else:
        middle = datetime(draw(st.sampled_from(YEARS)), 1, 1, tzinfo=UTC) + timedelta(
            hours=draw(st.integers(0, 8000)))
    return zone, middle - timedelta(hours=36), middle + timedelta(hours=36)


def wanted(field, value, least, most):
    """Whether a value fits a field, read anew and slowly."""
    for item in field.split(","):
        base, _, step = item.partition("/")
        start, _, end = base.partition("-")
        first, last = (least, most) if base == "*" else (int(start), int(end or start))
        if value in range(first, last + 1, int(step or 1)):
            return True
    return False


def fits(line, local):
    minute, hour, day, month, weekday = line.split()
    days = [wanted(day, local.day, 1, 31), wanted(weekday, local.isoweekday() % 7, 0, 6)]
    on = all(days) if day[0] == "*" or weekday[0] == "*" else any(days)
    return on and wanted(minute, local.minute, 0, 59) and wanted(hour, local.hour, 0, 23) \
        and wanted(month, local.month, 1, 12)


def walked(line, zone, after, until):
    """The due times, minute by minute, as a person with a clock on the wall would tell them."""
    place, found, moment = ZoneInfo(zone), [], after - timedelta(hours=30)
    shown = latest = moment.astimezone(place).replace(tzinfo=None)
    real = line.split()[1].startswith("*")
    while moment < until:
        moment += MINUTE
        before, shown = shown, moment.astimezone(place).replace(tzinfo=None)
        left_out = before + MINUTE
        is_due = fits(line, shown) and (real or shown > latest)
        while not real and left_out < shown:
            is_due = is_due or (fits(line, left_out) and left_out > latest)
            left_out += MINUTE
        latest = max(latest, shown)
        if is_due and moment > after:
            found.append(moment)
    return found


@settings(max_examples=80, deadline=None)
@given(LINES, windows())
def test_due_times_are_those_of_a_walk_over_every_minute(line, window):
    zone, after, until = window
    if cron_trouble(line):
        return

    told = due_times(line, zone, after=after, until=until)

    assert told == walked(line, zone, after, until)
    first = next_due(line, zone, after=after)
    assert (first == told[0]) if told else (first is None or first > until)


@settings(max_examples=40, deadline=None)
@given(LINES, windows(), st.integers(1, 40), st.integers(0, 30))
def test_counting_and_bounding_agree_with_the_list_over_weeks(line, window, days, most):
    zone, after, until = window
    span = {"after": after - timedelta(days=days), "until": until + timedelta(days=days)}
    if cron_trouble(line):
        return

    times = due_times(line, zone, **span)

    assert count_due(line, zone, **span) == len(times)
    assert due_times(line, zone, **span, most=most) == (times[-most:] if most else [])


def test_next_time_of_a_rare_day():
    assert next_due("0 0 29 2 *", "UTC", after=utc("2096-02-29")) == utc("2104-02-29")
