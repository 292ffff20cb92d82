"""Proof of a visitor, and what sending to one comes to."""

import json
from datetime import UTC, datetime

import pytest

from connections.adapter import Account, Delivery
from connections.envelope import Attachment, OutboundMessage, Place
from connections.providers.webchat import visitors
from connections.providers.webchat.adapter import (
    WebchatAdapter,
    WebchatCredentials,
    WebchatSettings,
)
from omni.errors import RateLimited, Rejected, SignatureMismatch, Unavailable

SECRET = "a long random text"
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


def account(secret=SECRET, slug="desk"):
    return Account(slug=slug, provider="webchat", settings=WebchatSettings(),
                   credentials=WebchatCredentials(secret=secret))


def delivery(token, **frame):
    return Delivery(body=json.dumps(frame).encode(), headers={"x-omni-visitor": token})


def verify(token, frame, **of):
    return WebchatAdapter().verify(delivery(token, **frame), account(**of), now=NOW)


@pytest.fixture
def token():
    return visitors.issue(slug="desk", secret=SECRET)


def visitor(token):
    return token.partition(".")[0]


def test_issued_token_proves_its_visitor(token):
    assert verify(token, {"type": "message", "visitor": visitor(token)}) == "visitor token"


def test_two_visitors_get_two_names():
    assert visitors.issue(slug="desk", secret=SECRET) != visitors.issue(slug="desk", secret=SECRET)


def test_token_does_not_speak_for_another_visitor(token):
    other = visitors.issue(slug="desk", secret=SECRET)

    with pytest.raises(SignatureMismatch, match="another visitor"):
        verify(token, {"type": "message", "visitor": visitor(other)})


@pytest.mark.parametrize("change", [
    lambda token: "", lambda token: token.partition(".")[0], lambda token: token + "x",
    lambda token: token[:-1], lambda token: "v_" + "A" * 22 + "." + token.partition(".")[2],
    lambda token: "." + token, lambda token: "é." + token])
def test_altered_token_is_refused(token, change):
    with pytest.raises(SignatureMismatch):
        verify(change(token), {"type": "message", "visitor": visitor(token)})


@pytest.mark.parametrize("of", [{"secret": "another secret"}, {"slug": "other-desk"}])
def test_token_of_another_chat_is_refused(token, of):
    with pytest.raises(SignatureMismatch):
        verify(token, {"type": "message", "visitor": visitor(token)}, **of)


def test_without_a_secret_nobody_is_proved(token):
    with pytest.raises(SignatureMismatch, match="no credentials.secret"):
        verify(token, {"type": "message", "visitor": visitor(token)}, secret="")


def test_broken_body_of_a_proved_visitor_is_left_to_the_archive(token):
    broken = Delivery(body=b"{", headers={"x-omni-visitor": token})

    assert WebchatAdapter().verify(broken, account(), now=NOW) == "visitor token"


def send(**fields):
    return WebchatAdapter().send(OutboundMessage(
        **{"kind": "text", "to": "v_" + "A" * 22, "client_ref": "run:1", **fields}), account())


def test_sent_message_is_named_by_visitor_and_reference():
    first, same, other = send(), send(), send(client_ref="run:2")

    assert first.status == "succeeded" and first.provider_message_id.startswith("v_AAAA")
    assert first.provider_message_id == same.provider_message_id != other.provider_message_id


@pytest.mark.parametrize(("fields", "code"), [
    ({"to": "+4915112345678"}, "bad_recipient"), ({"kind": "sticker"}, "unsupported")])
def test_send_that_no_page_can_show_is_rejected(fields, code):
    result = send(**fields)

    assert (result.status, result.error_code) == ("rejected", code)


def test_secret_is_not_in_the_text_of_the_credentials():
    assert SECRET not in repr(account().credentials)


def fetch(url):
    return WebchatAdapter().fetch_media(Attachment(kind="image", source_url=url), "", account())


def test_file_sent_by_its_address_is_read_for_the_page(httpserver):
    httpserver.expect_request("/cat.png").respond_with_data(b"bytes")

    assert fetch(httpserver.url_for("/cat.png")) == b"bytes"


def test_host_that_is_busy_may_be_asked_again(httpserver):
    httpserver.expect_request("/cat.png").respond_with_data(
        b"", status=429, headers={"retry-after": "7"})

    with pytest.raises(RateLimited) as caught:
        fetch(httpserver.url_for("/cat.png"))
    assert caught.value.retry_after == 7.0


def test_file_that_is_gone_says_so(httpserver):
    httpserver.expect_request("/cat.png").respond_with_data(b"", status=404)

    with pytest.raises(Rejected) as caught:
        fetch(httpserver.url_for("/cat.png"))
    assert caught.value.status == 404


def test_file_without_an_address_cannot_be_had():
    with pytest.raises(Unavailable):
        fetch(None)


def test_visitor_is_a_direct_chat_and_anything_else_is_no_place(token):
    name = token.partition(".")[0]

    assert WebchatAdapter().place_of(f" {name} ", account()) == Place(name, "direct")
    assert WebchatAdapter().place_of("somebody", account()) == Place("somebody")
