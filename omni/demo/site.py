"""Says a line of the clinic's day as a frame of the built-in web chat, with its visitor's proof."""

import base64
import json
import secrets
from typing import Any

from connections.providers.webchat import visitors
from omni.demo import files
from omni.demo.clinic import CAST, DAY
from omni.demo.script import Line, Request, Turn

PROVIDER, SLUG, NAME = "webchat", "demo-site", "Demo: Harbour Clinic"
LINES = DAY
WORKFLOWS: dict[str, dict[str, Any]] = {}


def settings(*, base_url: str) -> dict[str, Any]:
    return {"greeting": "Welcome to Harbour Clinic. How can we help?"}


def new_credentials() -> dict[str, Any]:
    return {"secret": secrets.token_urlsafe(32)}


def request(line: Line, turn: Turn) -> Request:
    token = _token(line.who, turn)
    frame = {"type": line.kind, "visitor": token.partition(".")[0], "name": CAST[line.who],
             "id": turn.id_of(line.facts.get("ref") or f"{line.kind}-{line.at}"),
             **_FACTS.get(line.kind, _said)(line, turn)}
    return Request(PROVIDER, SLUG, json.dumps(frame, ensure_ascii=False).encode(), {
        "content-type": "application/json", visitors.TOKEN_HEADER: token})


def _token(who: str, turn: Turn) -> str:
    """The visitor's proof; a new visitor in every turn."""
    tokens = turn.kept.setdefault("visitors", {})
    if who not in tokens:
        tokens[who] = visitors.issue(slug=SLUG, secret=turn.credentials[SLUG]["secret"])
    return tokens[who]


def _said(line: Line, turn: Turn) -> dict[str, Any]:
    quoted = line.facts.get("answers")
    return {"text": line.facts["text"], **({"reply_to": turn.id_of(quoted)} if quoted else {})}


def _file(line: Line, turn: Turn) -> dict[str, Any]:
    picture = files.picture(line.facts["colour"])
    return {"text": line.facts["text"], "files": [{
        "name": line.facts["name"], "mime": "image/png",
        "base64": base64.b64encode(picture).decode()}]}


def _typing(line: Line, turn: Turn) -> dict[str, Any]:
    return {"state": line.facts["state"]}


def _read(line: Line, turn: Turn) -> dict[str, Any]:
    return {"target": turn.id_of(line.facts["about"])}


def _unknown(line: Line, turn: Turn) -> dict[str, Any]:
    return {"type": line.facts["type"], "answer": line.facts["answer"]}


_FACTS = {"message": _said, "file": _file, "typing": _typing, "read": _read, "unknown": _unknown}
