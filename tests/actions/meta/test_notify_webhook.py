import json

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from actions.meta.notify_webhook import NotifyWebhookParams, notify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def notify(say, context, httpserver, **params):
    return notify_webhook(say(), NotifyWebhookParams(
        **{"url": httpserver.url_for("/hook/path-secret"), **params}), context)


@pytest.mark.parametrize("secret", [SECRET, f"v1,{SECRET}", f'"{SECRET}"\n'])
def test_receiver_can_verify_the_signature(say, context, httpserver, secret):
    httpserver.expect_request("/hook/path-secret", method="POST").respond_with_data("ok")

    notify(say, context, httpserver, secret=secret, text="New lead", data={"score": 7})

    request = httpserver.log[0][0]
    payload = Webhook(SECRET).verify(request.data, dict(request.headers.items(lower=True)))
    assert payload["type"] == "omni.notification"
    assert (payload["data"]["text"], payload["data"]["score"]) == ("New lead", 7)


def test_every_attempt_says_the_same(say, context, httpserver):
    httpserver.expect_request("/hook/path-secret").respond_with_data("ok")
    event = say()
    params = NotifyWebhookParams(url=httpserver.url_for("/hook/path-secret"))

    for _ in range(2):
        notify_webhook(event, params, context)

    first, again = (request for request, _ in httpserver.log)
    assert first.data == again.data
    assert first.headers["Idempotency-Key"] == again.headers["Webhook-Id"] == "omni:1:steps[0]:0"


@pytest.mark.parametrize(("status", "outcome"), [
    (204, "done"), (400, "failed"), (429, "failed"), (408, "unknown"), (500, "unknown")])
def test_status_decides_the_outcome(say, context, httpserver, status, outcome):
    httpserver.expect_request("/hook/path-secret").respond_with_data("", status=status)

    assert notify(say, context, httpserver).status == outcome


@pytest.mark.parametrize(("status", "header", "wait"), [
    (429, {"Retry-After": "7"}, 7.0), (429, {}, None), (503, {"Retry-After": "2"}, 2.0)])
def test_busy_receiver_may_be_asked_again_when_it_says(say, context, httpserver, status, header,
                                                       wait):
    httpserver.expect_request("/hook/path-secret").respond_with_data(
        "", status=status, headers=header)

    outcome = notify(say, context, httpserver)

    assert (outcome.code, outcome.output.get("retry_after")) == ("rate_limited", wait)


def test_neither_secret_nor_path_is_kept_in_the_outbox(say, context, outbox, httpserver):
    httpserver.expect_request("/hook/path-secret").respond_with_data("ok")

    notify(say, context, httpserver, secret=SECRET)

    kept = json.dumps(outbox.options, default=str)
    assert SECRET not in kept and "path-secret" not in kept


@pytest.mark.parametrize("wrong", [{"url": "ftp://x/y"}, {"url": "x"}, {"secret": "whsec_%"},
                                   {"type": "two words"}])
def test_wrong_address_secret_or_name_is_refused(wrong):
    with pytest.raises(ValidationError):
        NotifyWebhookParams(**{"url": "https://example.org/x", **wrong})


@pytest.mark.parametrize("url", ["http://[canary", "http://can\uff20ary/x", "canary"])
def test_wrong_address_is_refused_without_repeating_it(url):
    with pytest.raises(ValidationError) as refused:
        NotifyWebhookParams(url=url)

    assert refused.value.errors()[0]["msg"] == (
        "Value error, must be an address beginning with https:// or http://")
