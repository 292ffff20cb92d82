"""A step whose send may have gone out is put off for a while, then told so."""

import pytest

from connections.envelope import OutboundMessage, SendResult
from events.models import OutboxMessage
from omni.errors import Held
from registry.engine.run import echo_wait
from tests.factories import ANA, make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def sends(shop, monkeypatch):
    """Calls of the adapter, none of which is answered."""
    calls = []

    def send(adapter, message, account):
        calls.append(message)
        return SendResult("unknown", error="no answer")

    monkeypatch.setattr(type(shop.adapter), "send", send)
    return calls


def send(shop):
    return echo_wait.send(OutboundMessage(kind="text", to=ANA, text="hello"), instance=shop,
                          effect_key="e:1")


def test_send_is_unknown_when_the_time_for_its_echo_is_over(shop, sends, settings, clock):
    settings.OMNI_ECHO_WAIT_SECONDS = 20
    with pytest.raises(Held) as held:
        send(shop)
    clock.forward(seconds=held.value.retry_after + 0.1)

    assert send(shop).state == "unknown"
    assert 19 < held.value.retry_after <= 20 and len(sends) == 1


def test_send_that_was_settled_meanwhile_is_met_as_done(shop, sends, settings):
    settings.OMNI_ECHO_WAIT_SECONDS = 20
    with pytest.raises(Held):
        send(shop)
    OutboxMessage.objects.update(state="succeeded", resolution="echo")

    assert send(shop).state == "succeeded" and len(sends) == 1


@pytest.mark.parametrize("fields", [{"resolution": "again"}, {"resolution": "person_sent"}])
def test_send_a_person_has_settled_is_not_waited_for(shop, sends, settings, fields):
    settings.OMNI_ECHO_WAIT_SECONDS = 20
    with pytest.raises(Held):
        send(shop)
    OutboxMessage.objects.update(**fields)

    assert send(shop).state == "unknown"


def test_nothing_is_waited_for_where_that_is_switched_off(shop, sends):
    assert send(shop).state == "unknown"
