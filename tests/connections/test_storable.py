"""JSON that PostgreSQL takes, whatever is in it."""

import json
from datetime import datetime

import pytest

from connections.storable import storable_json


@pytest.mark.parametrize(("value", "stored"), [
    ({"a": [1, None, "é😀"]}, {"a": [1, None, "é😀"]}),
    ({"a\x00": "\x00"}, {"a\ufffd": "\ufffd"}),
    (["\ud800", ("\udfff",)], ["\ufffd", ["\ufffd"]]),
    ("\\u0000", "\\u0000"),
    ({"at": datetime(2026, 1, 1)}, {"at": "2026-01-01 00:00:00"}),
    ({"at": datetime(2026, 1, 1), "x": "\x00"}, {"at": "2026-01-01 00:00:00", "x": "\ufffd"}),
    ({"a": [float("nan"), float("inf"), -float("inf"), 1.5]}, {"a": [None, None, None, 1.5]}),
    ({"a": 10 ** 5000}, {"a": None}),
    ({(1, 2): True}, {"(1, 2)": True})])
def test_what_cannot_be_stored_is_replaced_and_the_rest_kept(value, stored):
    assert json.loads(storable_json(value)) == stored
