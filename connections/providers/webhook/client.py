"""Posts outbound messages as JSON, signed and repeatable; statuses become outcomes."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import uuid4

from connections import standard_webhooks
from connections.adapter import Account
from connections.envelope import OutboundMessage, SendResult
from connections.http.client import Client, Response
from connections.providers.webhook.paths import read
from omni.errors import InvalidInput, NotSent, UnknownOutcome

TYPE = "omni.message.send"
MAYBE_DONE = (408, 409)  # the request may have been taken before


def send(message: OutboundMessage, account: Account) -> SendResult:
    """One POST to settings.send_url. The target sees the same id on every attempt.

    Headers: Idempotency-Key and webhook-id carry client_ref; webhook-timestamp and
    webhook-signature follow Standard Webhooks where credentials.send_secret is set; Authorization
    carries credentials.send_authorization.
    """
    settings = account.settings
    if not settings.send_url:
        return SendResult(status="rejected", error_code="not_configured",
                          error="fill in settings.send_url to send from this instance")
    reference = message.client_ref or f"omni_{uuid4().hex}"
    now = datetime.now(UTC)
    body = _body(message, now=now)
    try:
        headers = _headers(body, reference=reference, now=now,
                           secret=account.credentials.send_secret)
        if account.credentials.send_authorization:
            headers["authorization"] = account.credentials.send_authorization
        response = Client(settings.send_url, timeout=settings.send_timeout,
                          account=account.id).request("POST", content=body, headers=headers)
    except InvalidInput as exc:
        return SendResult(status="rejected", error=exc.message, error_code=exc.code)
    except NotSent as exc:
        return SendResult(status="not_sent", error=exc.message, error_code=exc.code,
                          retryable=True)
    except UnknownOutcome as exc:
        return SendResult(status="unknown", error=exc.message, error_code=exc.code)
    return _outcome(response, account)


def _body(message: OutboundMessage, *, now: datetime) -> bytes:
    data = {name: value for name, value in asdict(message).items() if value}
    return json.dumps({"type": TYPE, "timestamp": now.isoformat(), "data": data},
                      ensure_ascii=False).encode("utf-8", "replace")


def _headers(body: bytes, *, reference: str, now: datetime, secret: str) -> dict[str, str]:
    timestamp = int(now.timestamp())
    headers = {"content-type": "application/json", "idempotency-key": reference,
               "webhook-id": reference, "webhook-timestamp": str(timestamp)}
    if secret:
        headers["webhook-signature"] = standard_webhooks.sign(
            body, message_id=reference, timestamp=timestamp, secret=secret)
    return headers


def _outcome(response: Response, account: Account) -> SendResult:
    status, answer = response.status, {"status": response.status}
    if 200 <= status < 300:
        found = read(account.settings.answer_id, response.json(), {})
        message_id = str(found)[:1000] if isinstance(found, str | int) and found != "" else None
        return SendResult(status="succeeded", provider_message_id=message_id, answer=answer)
    error = f"the target answered {status}"
    if response.is_rate_limited:
        return SendResult.rate_limited(error, retry_after=response.retry_after, answer=answer)
    if status >= 500 or status in MAYBE_DONE:
        return SendResult(status="unknown", error=error, error_code=f"http_{status}",
                          retry_after=response.retry_after, answer=answer)
    return SendResult(status="rejected", error=error, error_code=f"http_{status}", answer=answer)
