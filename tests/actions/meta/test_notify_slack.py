import json

import pytest
from pydantic import ValidationError

from actions.meta.notify_slack import NotifySlackParams, notify_slack
from events.models import OutboxMessage
from events.outbox import deliver

POST = "/api/chat.postMessage"
HOOK = "/services/T0/B0/canary-hook"
SENT = {"ok": True, "channel": "C1", "ts": "1700000000.000100"}


@pytest.fixture
def bot(settings, httpserver):
    settings.OMNI_SLACK_API_URL = httpserver.url_for("/api")
    settings.OMNI_SLACK_BOT_TOKEN = "xoxb-canary"
    return httpserver


@pytest.fixture
def hook(settings, httpserver):
    settings.OMNI_SLACK_BOT_TOKEN = ""
    settings.OMNI_SLACK_WEBHOOK_URL = httpserver.url_for(HOOK)
    return httpserver


def notify(say, context, text="hello", **params):
    return notify_slack(say(), NotifySlackParams(channel="#partners", text=text, **params), context)


def asked(httpserver):
    return json.loads(httpserver.log[0][0].data)


def test_bot_posts_to_the_channel_with_its_token(say, context, bot, outbox):
    bot.expect_request(POST, method="POST", headers={
        "Authorization": "Bearer xoxb-canary"}).respond_with_json(SENT)

    outcome = notify(say, context, thread="1700000000.000001")

    assert outcome.status == "done"
    assert asked(bot) == {"channel": "#partners", "text": "hello",
                          "thread_ts": "1700000000.000001"}
    assert outbox.results[0].provider_message_id == "C1:1700000000.000100"


def test_webhook_is_used_without_a_token(say, context, hook):
    hook.expect_request(HOOK).respond_with_data("ok")

    assert notify(say, context).status == "done"
    assert asked(hook) == {"text": "hello"}


def test_without_either_it_is_unavailable_and_names_both(say, context, outbox, settings):
    settings.OMNI_SLACK_BOT_TOKEN = settings.OMNI_SLACK_WEBHOOK_URL = ""

    outcome = notify(say, context)

    assert (outcome.status, outbox.keys) == ("unavailable", [])
    assert "OMNI_SLACK_BOT_TOKEN" in outcome.reason and "OMNI_SLACK_WEBHOOK_URL" in outcome.reason


@pytest.mark.parametrize(("markup", "sent"), [
    (False, "&lt;!channel&gt; &lt;https://evil.example|bank&gt; a &amp; b"),
    (True, "<!channel> <https://evil.example|bank> a & b")])
def test_what_people_wrote_calls_nobody_unless_asked_for(say, context, bot, markup, sent):
    bot.expect_request(POST).respond_with_json(SENT)

    notify(say, context, "<!channel> <https://evil.example|bank> a & b", markup=markup)

    assert asked(bot)["text"] == sent


@pytest.mark.parametrize(("error", "status", "code"), [
    ("channel_not_found", "failed", "channel_not_found"),
    ("invalid_auth", "failed", "invalid_auth"), ("ratelimited", "failed", "rate_limited"),
    ("service_unavailable", "failed", "service_unavailable"),
    ("fatal_error", "unknown", "fatal_error"), ("internal_error", "unknown", "internal_error"),
    ("<b>odd xoxb-canary</b>", "failed", "unknown_error"), (None, "failed", "unknown_error")])
def test_error_of_slack_decides_the_outcome(say, context, bot, error, status, code):
    bot.expect_request(POST).respond_with_json({"ok": False, "error": error})

    outcome = notify(say, context)

    assert (outcome.status, outcome.code) == (status, code)
    assert "canary" not in outcome.reason


@pytest.fixture
def real_outbox(context, instance):
    """The outbox itself instead of the recording one."""
    context.perform = lambda effect_key, **act: deliver.perform(
        effect_key=effect_key, instance=instance, run_id=1, **act)


def test_message_that_was_posted_is_not_posted_again(say, context, bot, real_outbox):
    bot.expect_request(POST).respond_with_json(SENT)

    first, again = notify(say, context), notify(say, context)

    assert (first.status, again.status, len(bot.log)) == ("done", "done", 1)
    assert OutboxMessage.objects.get().recipient == "#partners"


def test_message_slack_had_no_time_for_may_be_tried_again(say, context, bot, real_outbox):
    bot.expect_ordered_request(POST).respond_with_json(
        {"ok": False, "error": "service_unavailable"})
    bot.expect_ordered_request(POST).respond_with_json(SENT)

    first, again = notify(say, context), notify(say, context)

    assert (first.status, first.code, again.status) == ("failed", "not_sent", "done")


@pytest.mark.parametrize(("status", "header", "wait"), [
    (429, {"Retry-After": "30"}, 30.0), (429, {}, None), (503, {"Retry-After": "2"}, 2.0)])
@pytest.mark.parametrize("peer", ["bot", "hook"])
def test_busy_slack_says_when_to_come_back(say, context, request, peer, status, header, wait):
    server = request.getfixturevalue(peer)
    server.expect_request(POST if peer == "bot" else HOOK).respond_with_data(
        "", status=status, headers=header)

    outcome = notify(say, context)

    assert (outcome.code, outcome.output.get("retry_after")) == ("rate_limited", wait)


@pytest.mark.parametrize(("status", "body", "outcome"), [
    (500, "", "unknown"), (200, "<html>captive portal</html>", "unknown"), (200, "{}", "unknown"),
    (404, "", "failed"), (408, "", "unknown")])
def test_answer_that_is_not_slacks_is_not_taken_for_success(say, context, bot, status, body,
                                                            outcome):
    bot.expect_request(POST).respond_with_data(body, status=status)

    assert notify(say, context).status == outcome


def test_webhooks_error_is_told_by_its_name(say, context, hook):
    hook.expect_request(HOOK).respond_with_data("channel_is_archived", status=410)

    outcome = notify(say, context)

    assert (outcome.status, outcome.code) == ("failed", "channel_is_archived")


@pytest.mark.parametrize("peer", ["bot", "hook"])
def test_neither_token_nor_webhook_is_kept_or_told(say, context, outbox, request, peer):
    server = request.getfixturevalue(peer)
    server.expect_request(POST if peer == "bot" else HOOK).respond_with_data("no", status=403)

    outcome = notify(say, context)

    kept = json.dumps([outbox.options, outcome.output, outcome.reason], default=str)
    assert "canary" not in kept


def test_long_text_is_cut(say, context, bot):
    bot.expect_request(POST).respond_with_json(SENT)

    notify(say, context, "a" * 50_000)

    assert len(asked(bot)["text"]) == 30_000


@pytest.mark.parametrize("wrong", [{"channel": ""}, {"text": ""}, {"thread": "x" * 65}])
def test_empty_channel_or_text_is_refused(wrong):
    with pytest.raises(ValidationError):
        NotifySlackParams(**{"channel": "#a", "text": "b", **wrong})
