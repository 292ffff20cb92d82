"""Automagik Agents, in the words the first Omni spoke to them."""

import uuid
from typing import Any
from urllib.parse import quote

from actions.agents.media import items_of, message_type_of, payload_of
from actions.agents.question import Answer, Question
from actions.agents.users import known_user, remember_user
from actions.breaker import Client
from actions.people import phones
from actions.refusals import json_of
from omni.errors import NotConfigured, OmniError, Unavailable

MESSAGE_LIMIT = 100
_LOOK_UP_SECONDS = 5.0


def answer(question: Question) -> Answer:
    """Settings: agent_id, session_origin, preserve_system_prompt.

    POST /api/v1/agent/{agent_id}/run with header x-api-key, then GET /api/v1/sessions/{session} to
    learn which user the agent took the person for; that id is used next time.
    """
    agent = question.agent
    name = agent.settings.get("agent_id")
    if not name:
        raise NotConfigured(f"agent '{agent.slug}' names no agent: fill in settings.agent_id",
                            setting="settings.agent_id")
    peer = f"agent '{agent.slug}'"
    client = Client(question.address(), headers={"x-api-key": question.key()},
                    timeout=question.timeout)
    data = json_of(client.request("POST", f"api/v1/agent/{quote(str(name), safe='')}/run",
                                  json=request_of(question)), peer=peer)
    text = data.get("message")
    if not isinstance(text, str):
        raise Unavailable(f"{peer} answered without `message`", code="bad_answer")
    if data.get("success") is False:
        raise Unavailable(f"{peer} reported that it failed", code="agent_failed")
    user_id = _user_of_session(client, question.session) or str(data.get("user_id") or "")
    remember_user(question, user_id)
    usage = data.get("usage")
    return Answer(text=text, session_id=str(data.get("session_id") or ""), user_id=user_id,
                  usage=usage if isinstance(usage, dict) else {},
                  tools=_tools(data.get("tool_calls")))


def request_of(question: Question) -> dict[str, Any]:
    """The body of a run."""
    event, settings = question.event, question.agent.settings
    payload = payload_of(event)
    body: dict[str, Any] = {
        "message_content": question.text_with_notes(),
        "message_limit": MESSAGE_LIMIT,
        "message_type": message_type_of(event),
        "media_contents": items_of(event, alt_text=question.text, payload=payload),
        "channel_payload": payload,
        "session_name": question.session,
        "session_origin": settings.get("session_origin") or event.provider.split("_", 1)[0],
        "preserve_system_prompt": bool(settings.get("preserve_system_prompt", False)),
    }
    known = known_user(question)
    return {**body, "user_id": _as_uuid(known)} if known else {**body, "user": _user(question)}


def _user(question: Question) -> dict[str, Any]:
    event = question.event
    number = phones.legacy_digits(event.conversation_ref)
    return {"phone_number": f"+{number}" if number else None, "email": None, "user_data": {
        "name": event.sender_name or event.contact_handle or "User",
        "whatsapp_id": event.conversation_ref,
        "source": event.provider.split("_", 1)[0]}}


def _as_uuid(text: str) -> str:
    """User ids are UUIDs; another id always becomes the same one."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, text))


def _user_of_session(client: Client, session: str) -> str:
    """The user of a session as the agent knows it, "" when it does not say."""
    try:
        data = json_of(client.request("GET", f"api/v1/sessions/{quote(session, safe='')}",
                                      timeout=min(client.timeout, _LOOK_UP_SECONDS)),
                       peer="the session look-up")
    except OmniError:
        return ""  # the answer is here; who it was for is only needed next time
    return str(data.get("user_id") or "")


def _tools(calls: Any) -> list[str]:
    names = [call.get("tool_name") or call.get("name") for call in calls or []
             if isinstance(call, dict)]
    return [str(name) for name in names if name]
