"""The front door: what is stored, and what the sender is told."""

import gzip
import json

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections import models as connections_models
from connections.models import Instance
from events.door import batches, commit
from events.door.receive import receive
from events.models import Event, Knock, RawPayload
from omni.errors import Unavailable
from tests.factories import (
    SECRET,
    evolution_text,
    make_delivery,
    make_evolution,
    make_webhook,
    post_delivery,
)

pytestmark = pytest.mark.django_db


def told(body=b"{}", *, slug="shop", provider="webhook", **headers):
    """The answer to one delivery."""
    delivery = make_delivery(body, headers={"x-webhook-token": SECRET, **headers})
    return receive(delivery, provider=provider, slug=slug).result(5)


def test_new_delivery_is_accepted_with_its_events():
    make_webhook()

    answer = told(b'{"a": 1}')

    assert (answer.status, answer.body) == (
        202, {"status": "accepted", "events": [Event.objects.get().pk]})
    assert RawPayload.objects.get().verified_by == "header x-webhook-token key 1"


def test_same_delivery_again_is_a_duplicate(client):
    shop = make_evolution()

    first = post_delivery(client, shop, evolution_text("AC1"))
    again = post_delivery(client, shop, evolution_text("AC1"))

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {"status": "duplicate", "events": first.json()["events"]}
    assert Event.objects.count() == 1 and RawPayload.objects.get().deliveries == 2


@pytest.mark.parametrize(("body", "reason"), [
    (b"", "empty"), (b"  \n", "empty"), (b"{", "bad_json"), (b"\xff\xfe", "bad_utf8"),
    (b"[" * 100 + b"]" * 100, "too_deep"), (b"[" + b"1," * 100_000 + b"1]", "too_many_nodes")])
def test_authentic_body_that_cannot_be_read_is_a_dead_letter(body, reason):
    make_webhook()

    answer = told(body, **{"content-type": "application/json"})

    raw = RawPayload.objects.dead_letters().get()
    assert (answer.status, answer.body) == (
        200, {"status": "quarantined", "reason": reason, "raw_id": raw.pk})
    assert (bytes(raw.body), raw.quarantine_reason) == (body, reason)
    assert not Event.objects.exists()


def test_mapping_that_fails_leaves_a_dead_letter(monkeypatch):
    adapter = make_webhook().adapter
    monkeypatch.setattr(adapter, "normalize", lambda *_: 1 / 0)

    answer = told(b"{}")

    raw = RawPayload.objects.get()
    assert (answer.status, raw.quarantine_reason) == (200, "mapping_error")
    assert raw.quarantine_detail == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("change", [{"enabled": False}, {"archived_at": timezone.now()}])
def test_delivery_to_an_instance_that_is_off_is_kept_and_not_routed(change):
    make_webhook(**change)

    answer = told(b'{"a": 1}')

    assert answer.status == 202
    assert Event.objects.get().state == "not_routed" and RawPayload.objects.exists()


@pytest.mark.parametrize(("provider", "slug"), [
    ("webhook", "nobody"), ("carrier_pigeon", "shop"), ("whatsapp_evolution", "shop"),
    ("webhook", "SHOP"), ("webhook", "shop\n"), ("webhook", "a\x00b"), ("webhook", "a\ud800"),
    ("webhook", ""), ("webhook", "x" * 5000)])
def test_unknown_address_is_404_and_counted(provider, slug):
    make_webhook()

    answer = told(provider=provider, slug=slug)

    assert (answer.status, answer.body["error"]["code"]) == (404, "unknown_address")
    assert Knock.objects.get().reason == "unknown_address"
    assert not RawPayload.objects.exists()


@pytest.mark.parametrize("token", ["", "wrong", SECRET + "x", "café"])
def test_sender_without_proof_is_401_and_nothing_is_kept(token):
    make_webhook()

    answer = told(**{"x-webhook-token": token})

    assert (answer.status, answer.body["error"]["code"]) == (401, "signature_mismatch")
    assert Knock.objects.get().reason == "signature_mismatch"
    assert not RawPayload.objects.exists() and not Event.objects.exists()


@pytest.mark.parametrize("body", [b"x" * 1001, None], ids=["plain", "bomb"])
def test_body_over_the_cap_is_413_and_counted(settings, body):
    make_webhook()
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000
    headers = {} if body else {"content-encoding": "gzip"}

    answer = told(body or gzip.compress(b"\0" * 100_000), **headers)

    assert (answer.status, answer.body["error"]["code"]) == (413, "too_large")
    assert Knock.objects.get().reason == "too_large"


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_encoding_that_is_unknown_or_broken_is_415(encoding):
    make_webhook()

    answer = told(b"no gzip", **{"content-encoding": encoding})

    assert (answer.status, answer.body["error"]["code"]) == (415, "unsupported_encoding")


def test_zipped_body_is_archived_plain():
    make_webhook()

    answer = told(gzip.compress(b'{"a": 1}'), **{"content-encoding": "gzip"})

    assert answer.status == 202 and bytes(RawPayload.objects.get().body) == b'{"a": 1}'


def test_instance_whose_settings_no_longer_fit_asks_to_try_later():
    shop = make_webhook()
    Instance.objects.filter(pk=shop.pk).update(settings={"nonsense": 1})

    answer = told()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert not RawPayload.objects.exists()


def away(*_args, **_kwargs):
    raise OperationalError("the server is gone")


def test_database_that_is_away_asks_to_try_later(monkeypatch):
    make_webhook()
    monkeypatch.setattr(batches.ingest, "persist", away)

    answer = told()

    assert (answer.status, answer.body["error"]["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


@pytest.fixture
def full_spool(settings, tmp_path):
    settings.OMNI_SPOOL_DIR, settings.OMNI_SPOOL_MAX_BYTES = str(tmp_path / "spool"), 1


def test_full_spool_while_the_database_is_away_asks_to_try_later(client, monkeypatch, full_spool):
    shop = make_webhook()
    monkeypatch.setattr(batches.ingest, "persist", away)

    answer = post_delivery(client, shop, {"a": 1})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_unknown_instance_while_the_database_is_away_is_no_404(monkeypatch):
    monkeypatch.setattr(connections_models.Instance.objects, "filter", away)

    assert told().status == 503


@pytest.mark.django_db(transaction=True)
def test_known_instance_is_still_known_while_the_database_is_away(monkeypatch):
    shop = make_webhook()
    connections_models.lookup("webhook", "shop")
    monkeypatch.setattr(connections_models.revision, "ask", away)

    instance, account = connections_models.lookup("webhook", "shop")

    assert instance == shop and account.slug == "shop"


def test_full_queue_asks_to_try_later(monkeypatch):
    make_webhook()

    def full(_job):
        raise Unavailable("too many deliveries are waiting to be stored")

    monkeypatch.setattr(commit.writer, "submit", full)

    assert told().status == 503


def test_handshake_is_answered_without_storing_anything(client):
    make_webhook()

    answer = client.options("/webhooks/webhook/shop/", headers={
        "webhook-request-origin": "eventemitter.example.com", "x-webhook-token": SECRET})

    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventemitter.example.com"
    assert not RawPayload.objects.exists()


def test_credentials_in_a_body_never_reach_the_archive(client):
    post_delivery(client, make_evolution(), evolution_text("AC1"))

    raw = RawPayload.objects.get()
    assert raw.redacted and b"canary-instance-key" not in bytes(raw.body)


def test_body_is_no_part_of_the_statements_text(client):
    shop = make_webhook()
    with CaptureQueriesContext(connection) as seen:
        answer = post_delivery(client, shop, {"text": "x" * 1_000_000})

    assert answer.status_code == 202
    assert bytes(RawPayload.objects.get().body) == json.dumps({"text": "x" * 1_000_000}).encode()
    archived = [query["sql"] for query in seen if "omni_raw_payloads (" in query["sql"]]
    assert all(len(text) < 100_000 for text in archived)
