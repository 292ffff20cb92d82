"""Monthly partitions: made ahead of time, never missing."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from events.models import RawPayload
from events.store import ingest, partitions
from tests.factories import make_instance, make_raw_row, make_unit

pytestmark = pytest.mark.django_db


def partition_of(raw_id):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM omni_raw_payloads WHERE id = %s",
                       [raw_id])
        return cursor.fetchone()[0]


def keep_at(moment):
    shop = make_instance()
    raw = make_raw_row(shop, b"x", received_at=moment)
    return ingest.persist([make_unit(shop, raw=raw)])[0].raw_id


def test_missing_months_are_made_once():
    now = datetime(2031, 11, 30, 23, 59, tzinfo=UTC)

    first, again = partitions.ensure(now=now), partitions.ensure(now=now)

    assert first == ["omni_raw_payloads_2031_11", "omni_raw_payloads_2031_12",
                     "omni_raw_payloads_2032_01"]
    assert again == []


@pytest.mark.parametrize(("moment", "month"), [
    (datetime(2031, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "2031_12"),
    (datetime(2032, 1, 1, tzinfo=UTC), "2032_01")])
def test_delivery_lies_in_the_partition_of_its_month(moment, month):
    partitions.ensure(now=datetime(2031, 12, 5, tzinfo=UTC))

    assert partition_of(keep_at(moment)) == f"omni_raw_payloads_{month}"


def test_delivery_of_no_month_is_caught_by_the_default_partition():
    raw_id = keep_at(datetime(2041, 1, 1, tzinfo=UTC))

    assert partition_of(raw_id) == "omni_raw_payloads_default"


def test_month_that_already_lies_in_the_default_partition_is_left_to_it():
    keep_at(datetime(2041, 1, 15, tzinfo=UTC))

    made = partitions.ensure(now=datetime(2041, 1, 20, tzinfo=UTC))

    assert made == ["omni_raw_payloads_2041_02", "omni_raw_payloads_2041_03"]
    assert RawPayload.objects.count() == 1


def test_this_month_and_the_next_exist_after_migrating():
    assert partitions.ensure(months=2) == []
