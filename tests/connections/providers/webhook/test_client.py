"""Outbound posts are signed, repeatable, and end in an honest outcome."""

import json
import socket

import pytest
from standardwebhooks import Webhook
from werkzeug import Response

from connections import library
from connections.adapter import Account
from connections.envelope import OutboundMessage
from connections.providers.webhook.config import Credentials, Settings

SECRET = "whsec_YSBzZWNyZXQgb2YgMjQgYnl0ZXMuLi4u"
MESSAGE = OutboundMessage(kind="text", to="room-7", text="ol\u00e1", client_ref="omni:1:2:room-7")


def send(url: str, *, secret: str = "", message: OutboundMessage = MESSAGE, **settings):
    account = Account("shop", "webhook", Settings(send_url=url, **settings),
                      Credentials(send_secret=secret))
    return library.get("webhook").send(message, account)


def test_a_message_is_posted_signed_under_its_own_reference(httpserver):
    httpserver.expect_request("/hook", method="POST").respond_with_json({"id": "t-1"})

    result = send(httpserver.url_for("/hook"), secret=SECRET)

    request, _ = httpserver.log[0]
    assert (result.status, result.provider_message_id) == ("succeeded", "t-1")
    assert request.headers["Idempotency-Key"] == request.headers["webhook-id"] == MESSAGE.client_ref
    body = Webhook(SECRET).verify(request.get_data(), dict(request.headers))
    assert body["type"] == "omni.message.send"
    assert body["data"] == {"kind": "text", "to": "room-7", "text": "ol\u00e1",
                            "client_ref": MESSAGE.client_ref}


def test_without_a_secret_the_post_is_unsigned(httpserver):
    httpserver.expect_request("/hook").respond_with_data("", status=204)

    result = send(httpserver.url_for("/hook"))

    request, _ = httpserver.log[0]
    assert (result.status, result.provider_message_id) == ("succeeded", None)
    assert "webhook-signature" not in request.headers


def test_authorization_of_the_target_goes_with_every_post(httpserver):
    httpserver.expect_request("/hook").respond_with_json({})
    account = Account("shop", "webhook", Settings(send_url=httpserver.url_for("/hook")),
                      Credentials(send_authorization="Basic YTpi"))

    library.get("webhook").send(MESSAGE, account)

    assert httpserver.log[0][0].headers["authorization"] == "Basic YTpi"


def test_every_kind_of_message_is_posted(httpserver):
    httpserver.expect_request("/hook").respond_with_json({"data": {"ref": 9}})
    message = OutboundMessage(kind="reaction", to="r", client_ref="c", target_message_id="m1",
                              content={"emoji": "\U0001f44d"})

    result = send(httpserver.url_for("/hook"), message=message, answer_id="data.ref")

    request, _ = httpserver.log[0]
    assert json.loads(request.get_data())["data"]["content"] == {"emoji": "\U0001f44d"}
    assert result.provider_message_id == "9"


@pytest.mark.parametrize(("status", "outcome", "retryable"), [
    (400, "rejected", False), (404, "rejected", False), (410, "rejected", False),
    (301, "rejected", False), (408, "unknown", False),
    (409, "unknown", False), (500, "unknown", False), (503, "unknown", False)])
def test_statuses_become_outcomes(httpserver, status, outcome, retryable):
    httpserver.expect_request("/hook").respond_with_data("no", status=status)

    result = send(httpserver.url_for("/hook"))

    assert (result.status, result.retryable) == (outcome, retryable)
    assert result.error_code == f"http_{status}"


@pytest.mark.parametrize(("status", "header", "wait"), [
    (429, {"Retry-After": "7"}, 7.0), (429, {}, None), (503, {"Retry-After": "1.5"}, 1.5)])
def test_a_target_that_is_busy_may_be_asked_again_when_it_says(httpserver, status, header, wait):
    httpserver.expect_request("/hook").respond_with_data("", status=status, headers=header)

    result = send(httpserver.url_for("/hook"))

    assert (result.status, result.error_code, result.retryable, result.retry_after) == (
        "rejected", "rate_limited", True, wait)


def test_a_target_that_honours_keys_may_be_asked_again(httpserver):
    httpserver.expect_request("/hook").respond_with_data("", status=502)

    account = Account("shop", "webhook", Settings(send_idempotent=True), Credentials())

    assert send(httpserver.url_for("/hook"), send_idempotent=True).status == "unknown"
    assert library.get("webhook").honours_keys(account)


def test_a_closed_port_means_nothing_was_sent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    result = send(f"http://127.0.0.1:{port}/hook")

    assert (result.status, result.retryable) == ("not_sent", True)


def test_an_answer_that_never_comes_is_unknown():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = send(f"http://127.0.0.1:{silent.getsockname()[1]}/hook", send_timeout=1)

    assert (result.status, result.retryable) == ("unknown", False)


def test_an_answer_that_is_no_json_is_still_an_answer(httpserver):
    httpserver.expect_request("/hook").respond_with_response(Response(b"ok", status=200))

    assert send(httpserver.url_for("/hook")).status == "succeeded"


@pytest.mark.parametrize(("url", "secret", "code"), [
    ("", "", "not_configured"), ("http://127.0.0.1:1/", "whsec_***", "signature_mismatch")])
def test_a_wrong_setting_rejects_without_a_call(url, secret, code):
    result = send(url, secret=secret)

    assert (result.status, result.error_code, result.retryable) == ("rejected", code, False)
