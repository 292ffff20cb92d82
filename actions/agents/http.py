"""Any program as an agent: it is posted the event as JSON and answers with a text."""

from typing import Any

from actions.agents.question import Answer, Question
from actions.breaker import Client
from actions.refusals import json_of
from events.models import Event
from omni.errors import Unavailable


def answer(question: Question) -> Answer:
    """POST {text, session, event, contact, instance} to base_url; the answer is {text}.

    `memories`, a list of texts, comes along where a step tells what was kept about the person.
    It may add session_id, user_id, usage and memory. The key goes into Authorization as a bearer,
    the name of the call, the same in every attempt, into Idempotency-Key.
    """
    agent = question.agent
    headers = {"idempotency-key": question.reference} if question.reference else {}
    if key := question.key():
        headers["authorization"] = f"Bearer {key}"
    data = json_of(Client(question.address(), headers=headers).request(
        "POST", json=_body(question), timeout=question.timeout), peer=f"agent '{agent.slug}'")
    text = data.get("text")
    if not isinstance(text, str):
        raise Unavailable(f"agent '{agent.slug}' answered without `text`", code="bad_answer")
    usage = data.get("usage")
    return Answer(text=text, session_id=str(data.get("session_id") or ""),
                  user_id=str(data.get("user_id") or ""), memory=str(data.get("memory") or ""),
                  usage=usage if isinstance(usage, dict) else {})


def _body(question: Question) -> dict[str, Any]:
    contact, instance = question.contact, question.instance
    shown = (contact.shown or contact) if contact else None
    return {
        "text": question.text,
        "session": question.session,
        "event": _event(question.event),
        "contact": {"id": contact.pk, "name": shown.name, "labels": shown.labels,
                    } if contact and shown else None,
        "instance": {"slug": instance.slug, "name": instance.name, "provider": instance.provider},
        **({"memories": list(question.memories)} if question.memories else {}),
    }


def _event(event: Event) -> dict[str, Any]:
    rows = event.attachments.all() if event.media_kind else ()
    files = [{"kind": file.kind, "mime": file.mime, "filename": file.filename,
              "size_bytes": file.size_bytes} for file in rows]
    return {
        "id": event.pk, "event_type": event.event_type, "direction": event.direction,
        "occurred_at": event.occurred_at.isoformat(), "text": event.text,
        "conversation_ref": event.conversation_ref, "thread_ref": event.thread_ref,
        "sender_name": event.sender_name, "contact_handle": event.contact_handle,
        "provider_message_id": event.provider_message_id, "attachments": files,
        "content": event.content,
    }
