"""Says a line of the bakery's day as an Evolution API server would. Pure.

Source of the shapes: webhook bodies of Evolution API 2.3.6.
"""

import json
import secrets
from typing import Any

from omni.demo.bakery import DAY, OWNER
from omni.demo.script import Line, Request, Turn
from omni.demo.whatsapp_bodies import TOLD

PROVIDER, SLUG, NAME = "whatsapp_evolution", "demo-whatsapp", "Demo: Sunrise Bakery"
LINES = DAY
# Bound to the instance when it is made: workflow -> inputs.
WORKFLOWS: dict[str, dict[str, Any]] = {"whatsapp-default-reply": {"groups": False}}


def settings(*, base_url: str) -> dict[str, Any]:
    return {"base_url": base_url, "owner_jid": OWNER}


def new_credentials() -> dict[str, Any]:
    return {"api_key": secrets.token_urlsafe(24), "webhook_secret": secrets.token_urlsafe(24)}


def request(line: Line, turn: Turn) -> Request:
    """The POST that tells of a line. A forged one carries another secret, a broken one ends early.
    """
    kind = "text" if line.kind == "forged" else line.kind
    event, data = TOLD[kind](line, turn)
    body = envelope(event, data, turn)
    if line.facts.get("broken"):
        body = body[:len(body) // 2]
    return post(body, secret="not the secret" if line.kind == "forged"
                else turn.credentials[SLUG]["webhook_secret"])


def post(body: bytes, *, secret: str) -> Request:
    return Request(PROVIDER, SLUG, body, {
        "content-type": "application/json", "x-omni-secret": secret, "user-agent": "axios/1.7.9"})


def envelope(event: str, data: Any, turn: Turn) -> bytes:
    """What every body of the server has around its data."""
    return json.dumps({
        "event": event, "instance": SLUG, "data": data, "destination": "",
        "date_time": turn.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sender": OWNER, "server_url": "http://evolution.example", "apikey": None},
        ensure_ascii=False).encode()


def status_update(message_id: str, *, chat: str, status: str, turn: Turn,
                  secret: str) -> Request:
    """What became of a message we sent."""
    return post(envelope("messages.update", {
        "keyId": message_id, "remoteJid": chat, "fromMe": True, "status": status,
        "messageId": turn.id_of(f"row-{message_id}")}, turn), secret=secret)
