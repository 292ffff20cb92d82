"""A signed notification to any web address."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from actions import sending
from actions.base import Context, Outcome, Params, action
from connections import standard_webhooks
from connections.envelope import SendResult
from connections.http.client import Client, Response
from connections.secrets.texts import unwrapped
from events.models import Event
from omni.errors import SignatureMismatch

_MAYBE_DONE = (408, 409)  # the request may have been taken before


class NotifyWebhookParams(Params):
    url: str = Field(max_length=2000, description="Where to post; may be a secret.")
    type: str = Field("omni.notification", min_length=1, max_length=120,
                      pattern=r"^[A-Za-z0-9_.-]+$", description="Name of the notification.")
    text: str = Field("", description="A sentence for people.")
    data: dict[str, Any] = Field({}, description="More facts for the receiver.")
    secret: str = Field("", description="Signing secret (whsec_...) of Standard Webhooks; empty: "
                        "not signed.")
    timeout: float = Field(10.0, ge=1, le=60, description="Seconds for the answer.")

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:  # its message would repeat the address, which may be a secret
            is_web = False
        if not is_web:
            raise ValueError("must be an address beginning with https:// or http://")
        return url

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: str) -> str:
        secret = unwrapped(secret)
        if secret:
            try:
                standard_webhooks.sign(b"", message_id="", timestamp=0, secret=secret)
            except SignatureMismatch as exc:
                raise ValueError(exc.message) from exc
        return secret


@action("meta.notify.webhook", params=NotifyWebhookParams, output=sending.Sent, effects="send",
        timeout=70.0, secret=("secret", "url"))
def notify_webhook(event: Event, params: NotifyWebhookParams, context: Context) -> Outcome:
    """Post a signed JSON notification to a web address, once.

    The body is {type, timestamp, data}; headers follow Standard Webhooks, and Idempotency-Key
    repeats webhook-id. A timeout ends as unknown: it may have arrived.
    """
    request = _request(event, params)
    body = json.dumps(request, ensure_ascii=False, default=str).encode("utf-8", "replace")

    def call(reference: str) -> SendResult:
        limit = min(params.timeout, context.remaining())
        return _result(Client(params.url, timeout=limit).request(
            "POST", content=body, headers=_headers(body, reference, params.secret)))

    Client(params.url).reserve()
    return sending.outcome_of([context.perform(
        context.effect(0), kind="notify.webhook", recipient=urlsplit(params.url).hostname,
        request=request, call=call)])


def _request(event: Event, params: NotifyWebhookParams) -> dict[str, Any]:
    """The body, the same in every attempt. Its time is the event's."""
    data = {"event_id": event.pk, "event_type": event.event_type, "provider": event.provider,
            "conversation_ref": event.conversation_ref, **params.data}
    if params.text:
        data["text"] = params.text
    return {"type": params.type, "timestamp": event.occurred_at.isoformat(), "data": data}


def _headers(body: bytes, reference: str, secret: str) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp())
    headers = {"content-type": "application/json", "idempotency-key": reference,
               "webhook-id": reference, "webhook-timestamp": str(timestamp)}
    if secret:
        headers["webhook-signature"] = standard_webhooks.sign(
            body, message_id=reference, timestamp=timestamp, secret=secret)
    return headers


def _result(response: Response) -> SendResult:
    status, answer = response.status, {"status": response.status}
    if 200 <= status < 300:
        return SendResult("succeeded", answer=answer)
    error = f"the receiver answered {status}"
    if response.is_rate_limited:
        return SendResult.rate_limited(error, retry_after=response.retry_after, answer=answer)
    maybe = status >= 500 or status in _MAYBE_DONE
    return SendResult("unknown" if maybe else "rejected", answer=answer, error=error,
                      error_code=f"http_{status}")
