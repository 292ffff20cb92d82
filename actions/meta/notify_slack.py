"""A message to a channel of a Slack workspace, for the people who run this."""

import re
from typing import Any

from django.conf import settings
from pydantic import ConfigDict, Field

from actions import sending
from actions.base import Context, Outcome, Params, action, unavailable
from connections.envelope import SendResult
from connections.http.client import Client, Response
from events.models import Event

MAX_TEXT = 30_000  # characters; Slack cuts after 40,000
_WORD = re.compile(r"[a-z0-9_]{1,64}")
# Source: docs.slack.dev/reference/methods/chat.postMessage, "Errors": of these Slack says that a
# part may have happened, or does not say that nothing did.
_MAYBE_DONE = frozenset({"fatal_error", "internal_error", "request_timeout"})
_LATER = frozenset({"ratelimited", "rate_limited", "service_unavailable"})


class NotifySlackParams(Params):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    channel: str = Field(min_length=1, max_length=120, description="Channel or person, like "
                         "#partners or its id; a Slack webhook always writes to its own channel.")
    text: str = Field(min_length=1, description="What to say; the first 30,000 characters are "
                      "sent.")
    thread: str = Field("", max_length=64, description="The ts of a message to answer below.")
    markup: bool = Field(False, description="The text holds links and mentions as Slack writes "
                         "them; false: such signs are shown as they are.")


@action("meta.notify.slack", params=NotifySlackParams, output=sending.Sent, effects="send",
        timeout=30.0)
def notify_slack(event: Event, params: NotifySlackParams, context: Context) -> Outcome:
    """Post a message to a Slack channel, once.

    With OMNI_SLACK_BOT_TOKEN, else through OMNI_SLACK_WEBHOOK_URL. A timeout ends as unknown: it
    may have arrived.
    """
    token, webhook = settings.OMNI_SLACK_BOT_TOKEN, settings.OMNI_SLACK_WEBHOOK_URL
    if not token and not webhook:
        return unavailable("Slack is not set up: fill in OMNI_SLACK_BOT_TOKEN (a bot with "
                           "chat:write) or OMNI_SLACK_WEBHOOK_URL")
    request = {"channel": params.channel, "text": _escaped(params), **(
        {"thread_ts": params.thread} if params.thread else {})}

    def call(_: str) -> SendResult:
        timeout = context.remaining()
        if token:
            return _of_api(Client(settings.OMNI_SLACK_API_URL, headers={
                "authorization": f"Bearer {token}"}).request(
                    "POST", "chat.postMessage", json=request, timeout=timeout))
        body = {name: value for name, value in request.items() if name != "channel"}
        return _of_webhook(Client(webhook).request("POST", json=body, timeout=timeout))

    Client(settings.OMNI_SLACK_API_URL if token else webhook).reserve()
    return sending.outcome_of([context.perform(
        context.effect(0), kind="notify.slack", recipient=params.channel, request=request,
        call=call)])


def _escaped(params: NotifySlackParams) -> str:
    """Source: docs.slack.dev/messaging/formatting-message-text, "Escaping text"."""
    text = params.text[:MAX_TEXT]
    if params.markup:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _of_api(response: Response) -> SendResult:
    """An answer of the Web API: 200 {ok, ts, channel} or {ok: false, error}, or a status."""
    data = response.json()
    if response.status == 200 and isinstance(data, dict) and "ok" in data:
        if data["ok"] is True:
            answer = {name: data[name] for name in ("channel", "ts")
                      if isinstance(data.get(name), str)}
            return SendResult("succeeded", answer=answer,
                              provider_message_id=":".join(answer.values()) or None)
        return _refused(data.get("error"), response)
    return _by_status(response, "")


def _of_webhook(response: Response) -> SendResult:
    """An answer of an incoming webhook: 200 `ok`, else the name of an error as text."""
    if 200 <= response.status < 300:
        return SendResult("succeeded", answer={"status": response.status})
    return _by_status(response, response.text.strip())


def _by_status(response: Response, error: Any) -> SendResult:
    if response.is_rate_limited:
        return _refused("ratelimited", response)
    if 400 <= response.status < 500 and response.status not in (408, 409):
        return _refused(error or f"http_{response.status}", response)
    return SendResult("unknown", error=f"Slack answered {response.status}",
                      error_code=f"http_{response.status}", answer={"status": response.status})


def _refused(error: Any, response: Response) -> SendResult:
    """A no in Slack's own word; what is no word of theirs is not repeated."""
    word = error if isinstance(error, str) and _WORD.fullmatch(error) else "unknown_error"
    answer = {"status": response.status, "error": word}
    if word in _MAYBE_DONE:
        return SendResult("unknown", error=f"Slack said {word}", error_code=word, answer=answer)
    is_later = word in _LATER
    return SendResult("rejected", error=f"Slack refused the message: {word}", retryable=is_later,
                      error_code="rate_limited" if word.startswith("rate") else word,
                      retry_after=response.retry_after, answer=answer)
