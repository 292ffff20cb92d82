"""Rows for tests; state only what matters to the claim."""

import itertools
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from connections.access import SCOPES, ApiKey
from connections.adapter import Delivery
from connections.envelope import EventDraft
from connections.models import Instance
from events.models import Conversation, Event, OutboxMessage
from events.store import archive
from events.store.archive import RawRow
from events.store.units import Unit
from registry.models import Run, Workflow, WorkflowVersion
from registry.versions import bindings, publishing

_numbers = itertools.count(1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = "webhook-secret-of-tests"
ANA = "351922000002@s.whatsapp.net"
TIDY = """\
omni: 1
id: tidy
name: Tidy up
trigger:
  - event: message.text
steps:
  - stop: {status: ignored, reason: nothing to do}
"""
GREETER = """\
omni: 1
id: greeter
trigger: [{event: message.text}]
steps:
  - set: {seen: true}
"""


def make_instance(slug: str = "shop", provider: str = "webhook", **fields: Any) -> Instance:
    return Instance.objects.create(
        **{"slug": slug, "provider": provider, "name": slug.title(), **fields})


def make_webhook(slug: str = "shop", *, mapping: dict[str, Any] | None = None,
                 **fields: Any) -> Instance:
    """A generic webhook that is posted to with a token (`proof`)."""
    return make_instance(slug, settings={"mapping": mapping} if mapping else {},
                         credentials={"token": SECRET}, **fields)


def make_evolution(slug: str = "shop", *, base_url: str = "", own_lid: str = "",
                   **fields: Any) -> Instance:
    """A WhatsApp account at an Evolution server that is posted to with a secret (`proof`)."""
    return make_instance(
        slug, "whatsapp_evolution",
        settings={"base_url": base_url, "timeout_seconds": 5, "own_lid": own_lid},
        credentials={"api_key": "k-secret", "webhook_secret": SECRET}, **fields)


def proof(provider: str) -> dict[str, str]:
    """The header that proves a sender to `make_webhook` and `make_evolution`."""
    name = "x-webhook-token" if provider == "webhook" else "x-omni-secret"
    return {name: SECRET}


def post_delivery(client: Any, instance: Instance, body: Any, *, tail: str = "",
                  content_type: str = "application/json", **headers: str) -> Any:
    """POST to the instance's webhook with its proof. body: bytes, or data that becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/webhooks/{instance.provider}/{instance.slug}/{tail}", data=data,
                       content_type=content_type,
                       headers={**proof(instance.provider), **headers})


def evolution_text(message_id: str, text: str = "hello", *, chat: str = ANA,
                   key: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    """A body of `messages.upsert`: an inbound text, unless `key` says otherwise."""
    return {
        "event": "messages.upsert", "instance": "shop", "sender": "351911000001@s.whatsapp.net",
        "date_time": "2026-03-02T09:15:00.000Z", "apikey": "canary-instance-key",
        "data": {"key": {"remoteJid": chat, "fromMe": False, "id": message_id, **(key or {})},
                 "pushName": "Ana", "message": {"conversation": text},
                 "messageType": "conversation", "messageTimestamp": 1772442900, **data}}


def make_delivery(body: bytes = b"{}", **fields: Any) -> Delivery:
    return Delivery(**{"body": body, "received_at": NOON, "url": "https://omni.example/",
                       "headers": {"content-type": "application/json"}, **fields})


def make_raw_row(instance: Instance, body: bytes = b"{}", **fields: Any) -> RawRow:
    """What the archive keeps of a delivery, not stored yet."""
    return archive.keep(make_delivery(body, **fields), instance_id=instance.pk,
                        adapter=instance.adapter, proof="test")


def make_draft(dedup_key: str = "", **fields: Any) -> EventDraft:
    """An inbound text of Ana."""
    return EventDraft(**{
        "event_type": "message.text", "dedup_key": dedup_key or f"d:{next(_numbers)}",
        "text": "hello", "conversation_ref": ANA, "conversation_kind": "direct",
        "provider_actor_ref": ANA, "sender_name": "Ana", "occurred_at": NOON, **fields})


def make_unit(instance: Instance, *drafts: EventDraft, body: bytes | None = None,
              **fields: Any) -> Unit:
    """A delivery of these drafts; with `body` also its archive row."""
    raw = None if body is None else make_raw_row(instance, body)
    return Unit(**{"instance_id": instance.pk, "provider": instance.provider, "raw": raw,
                   "drafts": list(drafts), "received_at": NOON, **fields})


def make_event(instance: Instance, **fields: Any) -> Event:
    """A text message that has been routed, with a key of its own."""
    now = timezone.now()
    return Event.objects.create(**{
        "instance": instance, "provider": instance.provider, "event_type": "message.text",
        "dedup_key": f"m:{next(_numbers)}", "text": "hello", "trace_id": uuid.uuid4(),
        "occurred_at": now, "received_at": now, "routed_at": now, **fields})


def make_conversation(instance: Instance, ref: str = ANA, **fields: Any) -> Conversation:
    return Conversation.objects.create(**{"instance": instance, "ref": ref, "kind": "direct",
                                          **fields})


def make_sent(instance: Instance, recipient: str = ANA, **fields: Any) -> OutboxMessage:
    """A text that went out just now."""
    now = timezone.now()
    return OutboxMessage.objects.create(**{
        "instance": instance, "recipient": recipient, "kind": "text", "state": "succeeded",
        "effect_key": f"sent:{next(_numbers)}", "request_hash": "", "started_at": now,
        "ended_at": now, **fields})


def make_key(scopes: list[str] | None = None, instances: list[Instance] | None = None,
             name: str = "test") -> str:
    """The text of a new API key. No scopes: all of them; no instances: every instance."""
    _, text = ApiKey.issue(name, scopes=scopes or list(SCOPES), instances=instances)
    return text


def make_workflow(text: str = GREETER) -> Workflow:
    """A published workflow of this document."""
    return publishing.import_text(text, actor="test")[0]


def switch_on(text: str = GREETER, *, scope: str = "global", **options: Any) -> Workflow:
    """A published workflow that is bound."""
    workflow = make_workflow(text)
    bindings.bind(workflow, scope=scope, actor="test", **options)
    return workflow


def make_run(event: Event | None = None, *, workflow: Workflow | None = None,
             **fields: Any) -> Run:
    """A queued run that is due."""
    event = event or make_event(Instance.objects.first() or make_instance())
    workflow = workflow or Workflow.objects.first() or make_workflow()
    now = timezone.now()
    version = WorkflowVersion.objects.filter(workflow=workflow).order_by("-number").first()
    return Run.objects.create(**{
        "instance_id": event.instance_id, "event": event, "workflow": workflow,
        "version": version, "available_at": now, "created_at": now, **fields})
