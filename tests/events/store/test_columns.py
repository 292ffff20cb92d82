"""Columns of an event: impossible values become possible ones, long ones are cut."""

from datetime import UTC, datetime, timedelta

import pytest

from connections.envelope import Attachment
from events.store import columns
from events.store.units import Unit
from tests.factories import NOON, make_draft


def row_of(**fields):
    unit = Unit(instance_id=1, provider="webhook", drafts=[], received_at=NOON)
    return columns.of(make_draft("m:1", **fields), unit=unit, key="m:1", fingerprint="f",
                      conversation_id=None, actor_id=None, contact_id=None)


@pytest.mark.parametrize("moment", [
    None, datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2300, 1, 1, tzinfo=UTC)])
def test_time_no_clock_can_have_becomes_the_time_of_receipt(moment):
    row = row_of(occurred_at=moment, occurred_at_source="provider")

    assert (row["occurred_at"], row["occurred_at_source"]) == (NOON.isoformat(), "received")


def test_believable_time_stays_the_providers():
    earlier = NOON - timedelta(days=400)

    row = row_of(occurred_at=earlier)

    assert (row["occurred_at"], row["occurred_at_source"]) == (earlier.isoformat(), "provider")


def test_text_beyond_the_limit_is_cut_and_says_so():
    row = row_of(text="x" * (columns.TEXT_MAX + 1), context={"kept": 1})

    assert len(row["text"]) == columns.TEXT_MAX
    assert row["context"] == {"kept": 1, "text_cut": True}


@pytest.mark.parametrize(("field", "length"), [
    ("provider_event_type", 128), ("error_code", 64), ("client_ref", 255), ("normalizer", 64)])
def test_short_columns_are_cut(field, length):
    assert len(row_of(**{field: "x" * 1000})[field]) == length


def test_missing_texts_become_empty():
    row = row_of(conversation_ref=None, sender_name=None, thread_ref=None)

    assert (row["conversation_ref"], row["sender_name"], row["thread_ref"]) == ("", "", "")


@pytest.mark.parametrize("number", [2 ** 63, -2 ** 63 - 1, 10 ** 400])
def test_sequence_no_column_can_hold_is_left_out(number):
    assert row_of(provider_sequence=number)["provider_sequence"] is None


@pytest.mark.parametrize(("field", "value", "kept"), [
    ("size_bytes", -1, None), ("size_bytes", 2 ** 62, None), ("size_bytes", 7, 7),
    ("width", 2 ** 31, None), ("height", -5, None), ("duration_ms", 2 ** 31 - 1, 2 ** 31 - 1)])
def test_sizes_no_file_can_have_become_null(field, value, kept):
    row = columns.of_attachment(Attachment("image", **{field: value}), event_id=1, position=0)

    assert row[field] == kept
