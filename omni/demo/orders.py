"""Says a line of the shop's day as signed CloudEvents. Pure but for the random secret.

Sources: CloudEvents 1.0, HTTP protocol binding; Standard Webhooks specification.
"""

import base64
import json
import secrets
from typing import Any

from connections import standard_webhooks
from omni.demo.script import Line, Request, Turn
from omni.demo.shop import CAST, DAY

PROVIDER, SLUG, NAME = "webhook", "demo-orders", "Demo: online shop"
LINES = DAY
WORKFLOWS: dict[str, dict[str, Any]] = {}
SOURCE = "/demo/shop"
TYPES = {
    "shop.order.created": "commerce.order", "shop.payment.succeeded": "commerce.payment",
    "shop.payment.failed": "commerce.payment", "shop.question.asked": "message.text",
    "shop.ticket.opened": "ticket.created", "shop.ticket.updated": "ticket.updated",
    "shop.import.started": "job.started", "shop.import.finished": "job.succeeded",
    "shop.review.posted": "social.commented",
}


def settings(*, base_url: str) -> dict[str, Any]:
    """base_url: where answers to customers go; empty: nowhere."""
    return {
        "verification": "standard_webhooks",
        "send_url": f"{base_url}/shop/answers" if base_url else "",
        "mapping": {
            "type": "type", "types": TYPES, "id": "id", "time": "time",
            "sender": "data.customer", "sender_name": "data.name", "text": "data.note",
            "conversation": "data.order"}}


def new_credentials() -> dict[str, Any]:
    return {"secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()}


def request(line: Line, turn: Turn) -> Request:
    """The signed POST that tells of a line; a forged one is signed with another secret."""
    if line.kind == "batch":
        body: Any = [_event(line, turn, ref, {"note": note}) for ref, note in zip(
            line.facts["refs"], line.facts["notes"], strict=True)]
        return _signed(line, turn, body, {"content-type": "application/cloudevents-batch+json"},
                       ref=line.facts["refs"][0])
    event = _event(line, turn, line.facts["ref"], line.facts["data"])
    if line.kind == "binary":
        data = event.pop("data")
        headers = {f"ce-{name}": value for name, value in event.items()
                   if name != "datacontenttype"}
        return _signed(line, turn, data, {"content-type": "application/json", **headers},
                       ref=line.facts["ref"])
    return _signed(line, turn, event, {"content-type": "application/cloudevents+json"},
                   ref=line.facts["ref"])


def _event(line: Line, turn: Turn, ref: str, data: dict[str, Any]) -> dict[str, Any]:
    customer, name = CAST[line.who]
    person = {"customer": customer, "name": name} if customer else {}
    return {"specversion": "1.0", "id": turn.id_of(ref), "source": SOURCE,
            "type": line.facts["type"], "time": turn.now().isoformat(),
            "datacontenttype": "application/json", "data": {**person, **data}}


def _signed(line: Line, turn: Turn, content: Any, headers: dict[str, str], *,
            ref: str) -> Request:
    body = json.dumps(content, ensure_ascii=False).encode()
    secret = (new_credentials() if line.kind == "forged" else turn.credentials[SLUG])["secret"]
    name, timestamp = f"msg_{turn.id_of(ref)}", int(turn.now().timestamp())
    return Request(PROVIDER, SLUG, body, {
        **headers, "webhook-id": name, "webhook-timestamp": str(timestamp),
        "webhook-signature": standard_webhooks.sign(
            body, message_id=name, timestamp=timestamp, secret=secret)})
