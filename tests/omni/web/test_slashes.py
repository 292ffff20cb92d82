"""Addresses of the API without their last slash: nobody is left without a word."""

import pytest

from tests.api_client import client_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_without_the_slash_is_sent_to_the_address_with_it(method):
    answer = getattr(client_of("read"), method)("/api/v1/events?limit=3")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/api/v1/events/?limit=3")


def test_redirect_says_a_word_to_who_does_not_follow_it():
    answer = client_of("read").get("/api/v1/events?limit=3")

    assert answer.content == b"This address ends with a slash: /api/v1/events/\n"
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_writing_without_the_slash_is_told_and_not_turned_into_reading(method):
    answer = getattr(client_of(), method)("/api/v1/workflows/import", {}, format="json")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "this address ends with a slash: /api/v1/workflows/import/")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/nothing/"])
def test_address_that_is_none_with_the_slash_either_is_just_not_there(path):
    answer = client_of().post(path, {}, format="json")

    assert (answer.status_code, answer.json()["detail"]) == (
        404, "there is nothing at this address")


def test_webhook_needs_no_slash(client):
    assert client.post("/webhooks/webhook/nobody").status_code == 404
    assert "slash" not in client.post("/webhooks/webhook/nobody").content.decode()
