"""Refused deliveries are counted, without their bodies."""

from datetime import timedelta

import pytest
from django.db.models import F

from events.door.knocks import Knocks
from events.models import Knock
from tests.factories import make_delivery

pytestmark = pytest.mark.django_db


def count(knocks, times=1, *, address="webhook/nobody", reason="unknown_address", **fields):
    for _ in range(times):
        knocks.count(make_delivery(b"canary body", **fields), address=address, reason=reason)


def test_knocks_of_one_address_are_one_row_per_hour():
    knocks = Knocks()
    count(knocks, 3)
    knocks.flush(force=True)
    count(knocks, 2)
    knocks.flush(force=True)

    assert Knock.objects.get().count == 5


def test_counts_are_written_at_most_once_a_second():
    knocks = Knocks()
    count(knocks)
    knocks.flush()
    count(knocks)
    knocks.flush()

    assert Knock.objects.get().count == 1


def test_sample_has_harmless_headers_only():
    knocks = Knocks()
    count(knocks, headers={"user-agent": "curl", "authorization": "canary", "cookie": "canary"})
    knocks.flush(force=True)

    assert Knock.objects.get().sample_headers == {"user-agent": "curl"}


def test_scanner_of_many_addresses_cannot_grow_memory():
    knocks = Knocks()
    for number in range(1500):
        count(knocks, address=f"webhook/{number}")
    knocks.flush(force=True)

    assert Knock.objects.count() == 1001
    assert Knock.objects.get(address="(many others)").count == 500


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b", "é" * 500])
def test_odd_addresses_and_headers_are_counted(odd):
    knocks = Knocks()
    count(knocks, address=odd, headers={"user-agent": odd})
    knocks.flush(force=True)

    assert Knock.objects.get().count == 1


def test_counts_survive_a_database_that_is_away(monkeypatch):
    from django.db import OperationalError, connection

    knocks = Knocks()
    count(knocks, 2)
    with monkeypatch.context() as broken:
        def away():
            raise OperationalError("gone")

        broken.setattr(connection, "cursor", away)
        with pytest.raises(OperationalError):
            knocks.flush(force=True)
    count(knocks)

    knocks.flush(force=True)

    assert Knock.objects.get().count == 3


def test_addresses_named_in_an_hour_are_bounded_whatever_the_seconds():
    knocks = Knocks()
    for second in range(3):
        for number in range(600):
            count(knocks, address=f"webhook/{second}-{number}")
        knocks.flush(force=True)
    count(knocks, address="webhook/0-1")
    knocks.flush(force=True)

    assert Knock.objects.count() == 1001
    assert Knock.objects.get(address="(many others)").count == 800
    assert Knock.objects.get(address="webhook/0-1").count == 2


def test_addresses_of_the_hour_before_leave_room_for_those_of_this_one():
    knocks = Knocks()
    for number in range(1000):
        count(knocks, address=f"webhook/{number}")
    knocks.flush(force=True)
    Knock.objects.update(hour=F("hour") - timedelta(hours=1))
    count(knocks, address="webhook/new")
    knocks.flush(force=True)

    assert Knock.objects.filter(address="webhook/new").exists()


def test_scanner_never_hides_an_instance_that_is_knocked_at():
    knocks = Knocks()
    for number in range(1500):
        count(knocks, address=f"webhook/{number}")
    count(knocks, address="webhook/shop", reason="signature_mismatch")
    knocks.flush(force=True)

    assert Knock.objects.get(reason="signature_mismatch").address == "webhook/shop"


@pytest.mark.parametrize("address", [
    "webhook/../../etc/passwd", "carrier_pigeon/shop", "webhook/SHOP", "webhook/a b", "webhook/"])
def test_what_could_be_no_address_is_counted_without_its_name(address):
    knocks = Knocks()
    count(knocks, address=address)
    knocks.flush(force=True)

    assert Knock.objects.get().address == "(no names)"
