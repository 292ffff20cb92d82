"""Durations as people write them."""

import pytest

from omni.errors import InvalidInput
from registry.language.durations import seconds


@pytest.mark.parametrize(("text", "length"), [
    ("500ms", 0.5), ("6s", 6.0), ("3m", 180.0), ("24h", 86_400.0), ("7d", 604_800.0), ("0s", 0.0),
])
def test_a_number_and_a_unit_are_seconds(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "5", "s", "1.5h", "-1s", "1 h", "1w", "1H", "٣s", 30, None,
                                  True, "1s\n", "9" * 20 + "s"])
def test_anything_else_is_no_duration(text):
    with pytest.raises(InvalidInput, match="is not a duration; write a number and ms, s, m, h"):
        seconds(text)


def test_more_than_ten_years_is_refused():
    with pytest.raises(InvalidInput, match="'4000d' is longer than ten years"):
        seconds("4000d")
