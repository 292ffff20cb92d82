"""A proof that could never hold is refused when it is saved, with the field and the way out."""

import json
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from standardwebhooks import Webhook

from connections.models import Instance
from events.models import Event
from tests.admin_world import sign_in
from tests.api_client import client_of, post_json
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
STANDARD = {"verification": "standard_webhooks"}
HUB = {"verification": "hub_signature"}
REFUSED = [
    ("webhook", STANDARD, {}, "secret"),
    ("webhook", STANDARD, {"token": "a-token-of-16-ch"}, "secret"),
    ("webhook", HUB, {}, "secret"),
    ("webhook", {"verification": "header_token"}, {"secret": KEY}, "token"),
    ("webhook", STANDARD, {"secret": "not base64 at all"}, "secret"),
    ("webhook", STANDARD, {"secret": "whsec_AAAA"}, "secret"),
    ("webhook", STANDARD, {"secret": "whpk_AAAA"}, "secret"),
    ("webhook", STANDARD, {"secret": KEY, "previous_secrets": ["??"]}, "previous_secrets/0"),
    ("webhook", HUB, {"secret": "x"}, "secret"),
    ("webhook", {}, {"token": "x"}, "token"),
    ("webhook", {}, {"token": "two\nlines-of-token"}, "token"),
    ("webhook", {}, {"token": "a-good-long-token", "previous_token": "x"}, "previous_token"),
    ("webhook", {}, {"send_secret": "hello"}, "send_secret"),
    ("webchat", {}, {"secret": "x"}, "secret"),
    ("whatsapp_evolution", {}, {"webhook_secret": "x"}, "webhook_secret"),
    ("whatsapp_evolution", {}, {"jwt_key": "x"}, "jwt_key"),
    ("whatsapp_evolution", {}, {"api_key": "two\nlines"}, "api_key"),
    ("whatsapp_evolution", {"webhook_header": "x-mine"}, {}, "webhook_secret"),
]


def create(provider="webhook", settings=None, credentials=None):
    return post_json(client_of("admin"), "/api/v1/instances/", {
        "slug": "billing", "name": "Billing", "provider": provider, "settings": settings or {},
        "credentials": credentials or {}})


@pytest.mark.parametrize(("provider", "given", "credentials", "place"), REFUSED)
def test_api_refuses_it_at_its_field(provider, given, credentials, place):
    answer = create(provider, given, credentials)

    assert answer.status_code == 400, answer.data
    assert [error["pointer"] for error in answer.data["errors"]] == [f"/credentials/{place}"]
    assert not Instance.objects.exists()


@pytest.mark.parametrize(("provider", "given", "credentials", "place"), REFUSED)
def test_admin_refuses_it_at_its_field(provider, given, credentials, place):
    answer = sign_in().post(reverse("admin:connections_instance_add"), {
        "slug": "billing", "name": "Billing", "provider": provider, "enabled": "on",
        "agent": "default", "settings": json.dumps(given), "labels": "",
        "credentials": json.dumps(credentials)})

    assert f"credentials.{place.replace('/', '.')}: " in answer.content.decode()
    assert not Instance.objects.exists()


@pytest.mark.parametrize("pasted", [
    f"v1,{KEY}", f' "{KEY}" ', f"{KEY}\r\n", f"'v1,{KEY}'", f"{KEY[:20]}\n{KEY[20:]}"])
def test_wrapped_secret_verifies_what_the_vendor_signs(client, pasted):
    assert create(settings=STANDARD, credentials={"secret": pasted}).status_code == 201
    body, now = '{"type": "invoice.paid"}', datetime.now(UTC)

    answer = client.post(
        "/webhooks/webhook/billing/", data=body, content_type="application/json",
        headers={"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())),
                 "webhook-signature": Webhook(KEY).sign("msg_1", now, body)})

    assert answer.status_code == 202, answer.content
    assert Event.objects.get().content["payload"] == {"type": "invoice.paid"}


def test_bearer_written_into_the_token_is_no_part_of_it(client):
    create(settings={"token_header": "authorization"},
           credentials={"token": "Bearer a-token-of-16-ch"})

    answer = client.post("/webhooks/webhook/billing/", data="{}", content_type="application/json",
                         headers={"authorization": "Bearer a-token-of-16-ch"})

    assert answer.status_code == 202, answer.content


def test_verification_cannot_be_changed_to_one_without_a_credential():
    create(credentials={"token": "a-token-of-16-ch"})

    answer = client_of("admin").patch("/api/v1/instances/billing/", {"settings": STANDARD},
                                      format="json")

    assert answer.status_code == 400
    assert "fill in credentials.secret" in str(answer.data["errors"])


def test_old_weak_secret_does_not_stop_a_new_name():
    make_instance("billing", credentials={"token": "x"})

    answer = client_of("admin").patch("/api/v1/instances/billing/", {"name": "New"},
                                      format="json")

    assert answer.status_code == 200, answer.data


def test_answer_does_not_repeat_the_refused_secret():
    answer = create(settings=STANDARD, credentials={"secret": "canary no base64"})

    assert "canary" not in answer.content.decode()
