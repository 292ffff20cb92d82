"""Single values in both serialisations, and what is no value at all."""

import math
from datetime import UTC, datetime

import pytest

from connections.providers.whatsapp_evolution import scalars


@pytest.mark.parametrize(("value", "number"), [
    (5, 5), ("5", 5), ("-5", -5), ("1.5", 1.5), (1.5, 1.5),
    ({"low": -2042450483, "high": 405, "unsigned": True}, 1741714271693),
    ({"low": -1, "high": -1, "unsigned": False}, -1), ({"low": 7, "high": 0}, 7)])
def test_number_is_read(value, number):
    assert scalars.as_number(value) == number


@pytest.mark.parametrize("value", [
    None, True, "", "x", "1e5", "٣", math.nan, math.inf, [], {}, {"low": 1}, {"low": "1",
                                                                             "high": 0}])
def test_other_values_are_no_number(value):
    assert scalars.as_number(value) is None


@pytest.mark.parametrize("value", ["AQID", {"0": 1, "1": 2, "2": 3}, [1, 2, 3],
                                   {"type": "Buffer", "data": [1, 2, 3]}])
def test_bytes_are_read_in_every_serialisation(value):
    assert scalars.as_bytes(value) == b"\x01\x02\x03"


@pytest.mark.parametrize("value", [None, "", "A", "!!!!", {}, [], [256], [True], {"1": 1},
                                   {"0": "a"}, "é"])
def test_other_values_are_no_bytes(value):
    assert scalars.as_bytes(value) is None


@pytest.mark.parametrize("value", [
    1772442900, "1772442900", 1772442900000, {"low": 1772442900, "high": 0, "unsigned": True},
    "2026-03-02T09:15:00.000Z", "2026-03-02T06:15:00-03:00", "2026-03-02T09:15:00"])
def test_moment_is_read_in_every_notation(value):
    assert scalars.as_moment(value) == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, 0, -1, True, "", "soon", 10 ** 30, math.nan, {},
                                   "0001-01-01T00:00:00+03:00"])
def test_other_values_are_no_moment(value):
    assert scalars.as_moment(value) is None


@pytest.mark.parametrize(("value", "count"), [(3, 3), ("3", 3), (-1, None), (2 ** 31, None),
                                              (None, None)])
def test_count_fits_a_column(value, count):
    assert scalars.as_count(value) == count
