"""Sends whose process is gone become `unknown`, or what their echo says."""

from datetime import timedelta

import pytest
from django.utils import timezone

from events.models import Event, OutboxMessage
from events.outbox import interrupted
from registry.engine.waits import endings
from tests.factories import make_conversation, make_event, make_instance, make_run, make_sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


def under_way(shop, *, seconds=300, **fields):
    return make_sent(shop, **{
        "state": "sending", "started_at": timezone.now() - timedelta(seconds=seconds),
        "ended_at": None, "token": "gone", "request": {"text": "hello"}, **fields})


def state_after_sweep(row):
    endings.sweep()
    row.refresh_from_db()
    return row.state


def test_send_of_a_killed_web_process_becomes_unknown(shop):
    row = under_way(shop)

    assert state_after_sweep(row) == "unknown"
    assert (row.error_code, row.error) == ("interrupted", interrupted.REASON)
    assert row.ended_at is not None and OutboxMessage.objects.unresolved().get() == row


def test_send_that_may_still_be_answered_is_left_alone(shop):
    assert state_after_sweep(under_way(shop, seconds=100)) == "sending"


@pytest.mark.parametrize(("run", "state"), [
    ("canceled", "unknown"), ("failed", "unknown"), ("dead", "unknown"), ("done", "unknown"),
    ("queued", "sending"), ("waiting", "sending"), ("running", "sending")])
def test_send_of_a_run_is_given_up_when_the_run_has_ended(shop, run, state):
    row = under_way(shop, run_id=make_run(make_event(shop), state=run).pk)

    assert state_after_sweep(row) == state


def test_send_of_a_run_that_dies_is_given_up_with_it(shop):
    run = make_run(make_event(shop), state="running", deaths=2, lease_owner="w",
                   lease_until=timezone.now() - timedelta(seconds=1))
    row = under_way(shop, seconds=20, run_id=run.pk)

    assert state_after_sweep(row) == "unknown"


def test_send_whose_echo_came_has_succeeded(shop):
    chat = make_conversation(shop)
    row = under_way(shop, conversation=chat)
    echo = make_event(shop, direction="outbound", conversation=chat, provider_message_id="m1",
                      received_at=row.started_at + timedelta(seconds=1))

    assert state_after_sweep(row) == "succeeded"
    assert (row.resolution, row.event, row.provider_message_id) == ("echo", echo, "m1")
    assert Event.objects.get().client_ref == row.effect_key
