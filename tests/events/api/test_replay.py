"""Replay over REST: a dry run unless asked, and never on a foreign delivery."""

import json

import pytest
from django.utils import timezone

from connections.adapter import Delivery
from events.door import receive
from events.models import Event, RawPayload
from omni.audit import AuditEntry
from tests.api_client import client_of, post_json
from tests.factories import make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    """One event that came through the front door."""
    make_instance(credentials={"token": "0123456789abcdef"})
    answer = receive.receive(
        Delivery(body=json.dumps({"n": 1}).encode(), received_at=timezone.now(), headers={
            "x-webhook-token": "0123456789abcdef", "content-type": "application/json"}),
        provider="webhook", slug="shop").result(timeout=10)
    assert answer.status == 202, answer
    return Event.objects.get()


def test_replay_is_dry_by_default(event):
    answer = post_json(client_of("send"), f"/api/v1/events/{event.pk}/replay/")

    assert answer.status_code == 200, answer.data
    assert answer.data["dry_run"] is True and answer.data["stored"] == []
    assert [draft["event_type"] for draft in answer.data["drafts"]] == [event.event_type]
    assert Event.objects.count() == 1


def test_replay_for_real_is_audited(event):
    answer = post_json(client_of("send"), f"/api/v1/events/{event.pk}/replay/",
                       {"dry_run": False})

    assert answer.status_code == 200 and answer.data["dry_run"] is False
    assert AuditEntry.objects.get(action="delivery.replayed").facts["allow_effects"] is False


def test_delivery_is_replayed_by_its_own_address(event):
    raw = RawPayload.objects.get()

    answer = post_json(client_of("send"), f"/api/v1/raw-payloads/{raw.pk}/replay/")

    assert answer.status_code == 200 and len(answer.data["drafts"]) == 1


def test_read_scope_may_not_replay(event):
    answer = post_json(client_of("read"), f"/api/v1/events/{event.pk}/replay/")

    assert answer.status_code == 403


def test_foreign_event_looks_like_a_missing_one_at_replay(event):
    client = client_of("send", instances=[make_instance("desk")])

    foreign = post_json(client, f"/api/v1/events/{event.pk}/replay/")
    missing = post_json(client, "/api/v1/events/999999/replay/")

    assert foreign.status_code == missing.status_code == 404
    assert foreign.data["detail"] == missing.data["detail"]
