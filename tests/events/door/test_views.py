"""The documented door: HTTP becomes a delivery, an answer becomes HTTP."""

import pytest
from django.http import HttpRequest
from django.test import Client

from connections.adapter import Answer
from connections.providers.webchat import visitors
from events.door.body_budget import budget
from events.door.views import to_response
from events.models import Event, Knock, RawPayload
from tests.factories import (
    SECRET,
    evolution_text,
    make_evolution,
    make_instance,
    make_webhook,
    post_delivery,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", [
    "/webhooks/webhook/shop", "/webhooks/webhook/shop/", "/webhooks/webhook/shop/a/b/"])
def test_addresses_with_and_without_a_tail_are_the_same_instance(client, path):
    make_webhook()

    answer = client.post(path, b'{"a": 1}', "application/json",
                         headers={"x-webhook-token": SECRET})

    assert answer.status_code == 202
    assert RawPayload.objects.get().path == ("a/b" if "a/b" in path else "")


@pytest.mark.parametrize("tail", ["", "/messages-upsert"])
def test_legacy_address_is_the_evolution_instance(client, tail):
    make_evolution()

    answer = client.post(f"/webhook/evolution/shop{tail}", evolution_text("AC1"),
                         "application/json", headers={"x-omni-secret": SECRET})

    assert answer.status_code == 202 and Event.objects.get().event_type == "message.text"


def test_sender_needs_no_csrf_token_and_no_login():
    shop = make_webhook()

    answer = post_delivery(Client(enforce_csrf_checks=True), shop, {"a": 1})

    assert answer.status_code == 202


@pytest.mark.parametrize("length", ["abc", "1.5", "²"])
def test_content_length_that_is_no_number_is_no_server_error(client, length):
    shop = make_webhook()

    answer = post_delivery(client, shop, {"a": 1}, **{"content-length": length})

    assert answer.status_code < 500


def test_announced_length_over_the_cap_is_413_and_counted(client, settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000

    answer = post_delivery(client, make_webhook(), b"x" * 1001)

    assert answer.status_code == 413 and answer.json()["error"]["code"] == "too_large"
    assert Knock.objects.get().address == "webhook/shop"


def test_query_and_method_are_archived(client):
    make_webhook()

    client.put("/webhooks/webhook/shop/x?a=1", b'{"a": 1}', "application/json",
               headers={"x-webhook-token": SECRET})

    raw = RawPayload.objects.get()
    assert (raw.method, raw.query, raw.path) == ("PUT", "a=1", "x")


def test_answer_is_not_guessed_by_browsers(client):
    answer = post_delivery(client, make_webhook(), {"a": 1})

    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("body", "content_type", "content"), [
    ({"a": 1}, "application/json", b'{"a": 1}\n'), ([1], "application/json", b"[1]\n"),
    ("<b>", "text/plain; charset=utf-8", b"<b>"), (None, "text/plain; charset=utf-8", b"")])
def test_answer_of_an_adapter_is_json_or_plain_text(body, content_type, content):
    response = to_response(Answer(201, body, {"X-Odd": "1"}))

    assert (response.status_code, response.headers["X-Odd"]) == (201, "1")
    assert (response.headers["Content-Type"], response.content) == (content_type, content)


@pytest.mark.parametrize(("path", "status"), [
    ("/webhooks/webhook/nobody/", 404), ("/webhooks/webhook/shop/", 401)])
def test_body_of_who_is_refused_is_never_read(path, status, monkeypatch):
    make_webhook()
    monkeypatch.setattr(HttpRequest, "body", property(lambda _: 1 / 0))

    answer = Client().post(path, b"{}", "application/json")

    assert answer.status_code == status


def test_more_bodies_than_may_be_in_flight_are_asked_to_try_later(client, settings):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 1000

    answer = post_delivery(client, make_webhook(), b"x" * 1001)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert budget.held == 0


SECRET_OF_CHAT = "a long random text"


def chat(client, frame, token, **headers):
    """A frame of a visitor, posted without the page."""
    return client.post("/webhooks/webchat/desk/", {"visitor": token.partition(".")[0], **frame},
                       "application/json", headers={"x-omni-visitor": token, **headers})


def make_desk(**limits):
    make_instance("desk", "webchat", credentials={"secret": SECRET_OF_CHAT},
                  settings={"limits": limits})


def visitor():
    return visitors.issue(slug="desk", secret=SECRET_OF_CHAT)


def test_token_of_a_chat_page_gives_no_more_than_its_quota(client):
    make_desk(visitor={"messages_per_minute": 2})
    token = visitor()

    answers = [chat(client, {"type": "message", "id": number, "text": "hi"}, token)
               for number in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 429, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert Event.objects.count() == RawPayload.objects.count() == 2
    assert chat(client, {"type": "message", "text": "hi"}, visitor()).status_code == 202


def test_new_tokens_do_not_help_one_address(client):
    make_desk(address={"messages_per_minute": 2})

    answers = [chat(client, {"type": "message", "text": "hi"}, visitor()) for _ in range(3)]
    elsewhere = chat(client, {"type": "message", "text": "hi"}, visitor(),
                     **{"x-forwarded-for": "198.51.100.9"})

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert elsewhere.status_code == 202


def test_posted_typing_mark_is_not_stored(client):
    make_desk()

    answer = chat(client, {"type": "typing", "id": "1"}, visitor())

    assert (answer.status_code, answer.json()) == (202, {"status": "passed_on"})
    assert not Event.objects.exists() and not RawPayload.objects.exists()
