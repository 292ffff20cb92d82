"""Automagik Hive: agents and teams that take a form and answer whole or as a stream."""

import json
from collections.abc import Iterator
from typing import Any

from actions.agents.question import Answer, Question
from actions.agents.users import known_user
from actions.breaker import Client
from actions.people import phones
from actions.refusals import checked
from omni.errors import NotConfigured, Unavailable

_CONTENT = ("RunResponseContent", "RunContent", "RunResponse")
_COMPLETED = ("RunCompleted", "RunResponseCompleted")
_FAILED = ("RunError", "RunCancelled")


def answer(question: Question) -> Answer:
    """Settings: agent_id, agent_type (agent or team), stream.

    POST /agents/{id}/runs or /teams/{id}/runs with header X-API-Key and the form fields message,
    stream, user_id, session_id; files are not passed on.
    """
    agent, settings = question.agent, question.agent.settings
    if not settings.get("agent_id"):
        raise NotConfigured(f"agent '{agent.slug}' names no agent: fill in settings.agent_id",
                            setting="settings.agent_id")
    place = "teams" if settings.get("agent_type") == "team" else "agents"
    streams = bool(settings.get("stream"))
    fields = {"message": question.text_with_notes(), "stream": str(streams),
              "session_id": question.session, "user_id": known_user(question)
              or phones.legacy_digits(question.event.conversation_ref)}
    headers = {"x-api-key": question.key()} if question.key() else {}
    peer = f"agent '{agent.slug}'"
    response = checked(Client(question.address(), headers=headers).request(
        "POST", f"{place}/{settings['agent_id']}/runs", timeout=question.timeout,
        files={name: (None, value) for name, value in fields.items() if value}), peer=peer)
    return collect(response.text, peer=peer)


def collect(body: str, *, peer: str = "the agent") -> Answer:
    """The answer in a body: one JSON object, objects one after the other, or `data:` lines.

    Chunks are joined; without any the completed run's content counts.
    Raises Unavailable when the run failed or there is no content.
    """
    chunks: list[str] = []
    final: dict[str, Any] = {}
    for part in _objects(body):
        name = str(part.get("event") or "").removeprefix("Team")
        if name in _FAILED:
            raise Unavailable(f"{peer} ended with {name}", code="agent_failed")
        if name in _CONTENT and isinstance(part.get("content"), str):
            chunks.append(part["content"])
        elif name in _COMPLETED or not name:
            final = part
    text = "".join(chunks) or final.get("content")
    if not isinstance(text, str):
        raise Unavailable(f"{peer} answered without content", code="bad_answer")
    return Answer(text=text, session_id=str(final.get("session_id") or ""),
                  user_id=str(final.get("user_id") or ""))


def _objects(body: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a body; what lies between them and is no JSON is skipped."""
    lines = [line.strip() for line in body.splitlines()]
    if any(line.startswith("data:") for line in lines):
        body = "\n".join(line.removeprefix("data:") for line in lines if line.startswith("data:"))
    decoder = json.JSONDecoder()
    start = body.find("{")
    while start != -1:
        try:
            value, end = decoder.raw_decode(body, start)
        except ValueError:
            end = body.find("\n", start)
            if end == -1:
                return
        else:
            yield value
        start = body.find("{", end)
