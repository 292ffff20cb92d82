"""What is derived from events while several workers route at once: nothing of it is left out."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from events.models import Event, MessageState, Underived
from registry.engine.route import routing
from tests.factories import evolution_text, make_evolution, post_delivery

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGES = 140
START = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp())


@pytest.fixture
def workers():
    """Two workers that route on connections of their own, until they are told to stop."""
    over = threading.Event()

    def work():
        try:
            while not over.is_set() or Event.objects.unrouted().exists():
                if not routing.route(7):
                    over.wait(0.002)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()

    def stop():
        over.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    yield stop
    stop()


def edited(number, text):
    return {"event": "messages.edited", "instance": "shop",
            "data": {"key": evolution_text(f"M{number}")["data"]["key"], "type": "MESSAGE_EDIT",
                     "editedMessage": {"conversation": text},
                     "timestampMs": (START + number) * 1000 + 900}}


def received(number, status):
    return {"event": "messages.update", "instance": "shop",
            "data": {"keyId": f"M{number}", "fromMe": True, "status": status,
                     "remoteJid": evolution_text("")["data"]["key"]["remoteJid"]}}


def test_every_edit_and_receipt_that_follows_its_message_at_once_is_seen(client, workers, caplog):
    shop = make_evolution()
    for number in range(MESSAGES):
        own = {"fromMe": True} if number % 2 else {}
        post_delivery(client, shop, evolution_text(
            f"M{number}", "typo", key=own, messageTimestamp=START + number))
        if own:
            post_delivery(client, shop, received(number, "DELIVERY_ACK"))
            post_delivery(client, shop, received(number, "READ"))
        else:
            post_delivery(client, shop, edited(number, f"right {number}"))
    workers()

    effects = Event.objects.exclude(target_message_id=None)
    faces = dict(MessageState.objects.filter(provider_message_id__startswith="M").values_list(
        "provider_message_id", "text"))
    assert effects.count() == MESSAGES // 2 * 3
    assert [e.pk for e in effects.select_related("target_event")
            if not e.target_event or e.target_event.provider_message_id != e.target_message_id
            ] == []
    assert faces == {f"M{number}": "typo" if number % 2 else f"right {number}"
                     for number in range(MESSAGES)}
    assert set(MessageState.objects.filter(introduced_by__from_me=True).values_list(
        "delivery_status", flat=True)) == {"read"}
    assert not Underived.objects.exists()
    assert [line for line in caplog.records if line.name == "omni.events"] == []
