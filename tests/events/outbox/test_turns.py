"""Sends that are put off: each has a moment of its own, and no minute holds more than it may."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from connections.envelope import OutboundMessage
from events.models import OutboxMessage
from events.models.send_turn import SendTurn
from events.outbox import deliver, limits
from omni.errors import Held
from tests.factories import ANA, make_conversation, make_instance, make_sent


def send(shop, place, number):
    """Seconds until it may be sent, 0 when it was."""
    try:
        deliver.send(OutboundMessage(kind="text", to=place.ref, text="hi"), instance=shop,
                     effect_key=f"omni:{number}:steps[0]:0", conversation=place, run_id=number)
    except Held as exc:
        return exc.retry_after
    finally:
        connection.close()
    return 0.0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("setting", ["OMNI_SENDS_PER_PERSON", "OMNI_SENDS_PER_MINUTE"])
def test_many_at_once_never_overshoot_and_each_has_a_moment_of_its_own(settings, setting):
    settings.OMNI_SENDS_PER_PERSON = settings.OMNI_SENDS_PER_MINUTE = 0
    settings.OMNI_REPLIES_PER_MINUTE = 0
    setattr(settings, setting, 20)
    shop = make_instance()
    place = make_conversation(shop)

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda number: send(shop, place, number), range(1, 101)))

    moments = [*OutboxMessage.objects.values_list("started_at", flat=True),
               *SendTurn.objects.values_list("at", flat=True)]
    assert waits.count(0.0) == 20 == OutboxMessage.objects.count()
    assert len(set(moments)) == 100
    assert most_in_a_minute(moments) == 20
    assert max(waits) < 4 * 61 + 1  # nobody waits longer than the line is


def most_in_a_minute(moments):
    return max(sum(1 for other in moments if one <= other < one + timedelta(minutes=1))
               for one in moments)


@pytest.fixture
def shop(db):
    return make_instance()


def may(shop, key, recipient=ANA):
    """Seconds to wait, 0 when it may go; what may go is begun."""
    try:
        limits.check(instance_id=shop.pk, recipient=recipient, run_id=1, effect_key=key,
                     answers=False)
    except Held as exc:
        return exc.retry_after
    make_sent(shop, recipient, run_id=1, effect_key=key)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE omni_outbox SET started_at = omni_now() WHERE effect_key = %s",
                       [key])
    return 0.0


def test_who_was_put_off_goes_before_who_comes_anew(shop, settings, clock):
    settings.OMNI_SENDS_PER_PERSON = 1
    assert may(shop, "first") == 0
    wait = may(shop, "second")
    clock.forward(seconds=wait + 0.01)

    newcomer = may(shop, "third")
    again = may(shop, "second")

    assert again == 0 and 59 < newcomer < 61
    assert not SendTurn.objects.filter(effect_key="second").exists()


def test_who_is_waked_early_keeps_its_moment(shop, settings, clock):
    settings.OMNI_SENDS_PER_PERSON = 1
    may(shop, "first")
    wait = may(shop, "second")
    clock.forward(seconds=20)

    assert may(shop, "second") == pytest.approx(wait - 20, abs=0.5)


def test_who_comes_late_makes_no_minute_hold_more(shop, settings, clock):
    settings.OMNI_SENDS_PER_PERSON = 1
    may(shop, "first")
    second, third = may(shop, "second"), may(shop, "third")
    clock.forward(seconds=second + 30)
    assert may(shop, "second") == 0
    clock.forward(seconds=third - second - 30 + 0.1)

    assert may(shop, "third") == pytest.approx(29, abs=0.5)


def test_one_person_who_waits_does_not_hold_up_the_account(shop, settings):
    settings.OMNI_SENDS_PER_PERSON, settings.OMNI_SENDS_PER_MINUTE = 1, 5
    for number in range(6):
        may(shop, f"to ana {number}")

    assert [may(shop, f"to {name}", name) for name in ("bea", "cy", "dora", "eve")] == [0] * 4
    assert may(shop, "to fay", "fay") > 59


def test_turn_nobody_came_for_is_forgotten(shop, settings, clock):
    settings.OMNI_SENDS_PER_PERSON = 1
    may(shop, "first")
    may(shop, "gone")
    clock.forward(hours=2)
    may(shop, "another")
    may(shop, "and one more")

    assert list(SendTurn.objects.values_list("effect_key", flat=True)) == ["and one more"]


def test_clock_of_a_worker_that_is_wrong_changes_nothing(shop, settings, monkeypatch):
    settings.OMNI_SENDS_PER_PERSON = 1
    place, right = make_conversation(shop), timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() - timedelta(minutes=5))
    monkeypatch.setattr(connection, "close", lambda: None)

    assert send(shop, place, 1) == 0 and send(shop, place, 2) > 50
