"""A small world for tests of the admin: one row or more of everything a page shows."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from actions.models import Agent, ContactList, Memory, Task
from connections.access import InstanceGrant
from connections.adapter import Delivery
from connections.models import Instance, Secret
from events.models import (
    Contact,
    Conversation,
    Event,
    EventAction,
    Knock,
    MessageState,
    OutboxMessage,
    RawPayload,
)
from events.store import archive, ingest
from events.store.units import Unit
from omni.audit import note
from registry.models import Approval, RoutingDecision, Run, Wait, Workflow
from tests.factories import make_event, make_instance, make_workflow

CANARY = "canary-7f3a-never-shown"
WORKFLOW = """\
omni: 1
id: greeter
name: Greeter
trigger:
  - event: message.text
steps:
  - stop: done
"""


@dataclass
class World:
    """Rows of one instance."""

    instance: Instance
    event: Event
    raw: RawPayload
    workflow: Workflow
    run: Run
    unknown: OutboxMessage
    contact: Contact
    conversation: Conversation


def sign_in(*, grants: list[tuple[Instance | None, list[str]]] | None = None,
            name: str = "boss") -> Client:
    """A signed-in client: a superuser, or with `grants` a staff member who has just those."""
    user = get_user_model().objects.create_user(
        name, is_staff=True, is_superuser=grants is None)
    for instance, scopes in grants or []:
        InstanceGrant.objects.create(user=user, instance=instance, scopes=scopes)
    client = Client()
    client.force_login(user)
    return client


def make_raw(instance: Instance, body: bytes = b'{"text": "hello"}', *, reason: str = "",
             **fields: Any) -> RawPayload:
    """An archived delivery that became no event."""
    now = timezone.now()
    delivery = Delivery(body=body, received_at=now, headers={"content-type": "application/json"})
    row = archive.keep(delivery, instance_id=instance.pk, adapter=instance.adapter, proof="test")
    if reason:
        row.quarantine(reason, f"{reason} in a test")
    stored = ingest.persist([Unit(instance_id=instance.pk, provider=instance.provider,
                                         drafts=[], received_at=now, raw=row)])[0]
    raw = RawPayload.objects.get(pk=stored.raw_id)
    if fields:
        RawPayload.objects.filter(pk=raw.pk).update(**fields)
        raw.refresh_from_db()
    return raw


def make_outbox(instance: Instance, *, state: str = "unknown", key: str = "omni:1:a:0",
                **fields: Any) -> OutboxMessage:
    return OutboxMessage.objects.create(**{
        "instance": instance, "effect_key": key, "kind": "text", "recipient": "49123",
        "request": {"text": "hi"}, "request_hash": "0" * 64, "state": state,
        "started_at": timezone.now(), **fields})


def make_world(slug: str = "shop") -> World:
    """An event that woke a workflow which sent something nobody knows the outcome of."""
    now = timezone.now()
    instance = make_instance(slug=slug, settings={"verification": "header_token"},
                             credentials={"token": CANARY})
    raw = make_raw(instance, reason="mapping_error")
    contact = Contact.objects.create(name=f"Ana of {slug}", labels=["vip"])
    handle = contact.handles.create(provider=instance.provider, kind="phone", value=f"+49{slug}")
    handle.instances.add(instance)
    conversation = Conversation.objects.create(instance=instance, ref=f"{slug}-chat",
                                               kind="direct", contact=contact)
    event = make_event(instance, conversation=conversation, contact=contact, raw_id=raw.pk,
                       provider_message_id=f"{slug}-message", text=f"hello from {slug}")
    event.attachments.create(position=0, kind="image", filename="photo.jpg", size_bytes=2048)
    MessageState.objects.create(instance=instance, provider_message_id=f"{slug}-message",
                                introduced_by=event, text="hello, edited", edit_count=1)
    workflow = Workflow.objects.filter(slug="greeter").first() or make_workflow(WORKFLOW)
    run = Run.objects.create(
        instance=instance, event=event, workflow=workflow, version=workflow.latest(),
        state="failed", reason="the agent did not answer", available_at=now, created_at=now,
        started_at=now, ended_at=now)
    EventAction.objects.create(
        instance=instance, event=event, run_id=run.pk, workflow="greeter", path="steps[0]",
        step_id="quiet", step_kind="uses", action="guard.debounce", status="failed",
        reason="part of a burst", input={"seconds": 2}, output={"found": 3}, started_at=now,
        ended_at=now, duration_ms=1.5)
    RoutingDecision.objects.create(
        event=event, instance=instance, matched=1, reason="1 of 2 matched", decided_at=now,
        considered=[{"workflow": "greeter", "version": 1, "binding": None, "result": "matched",
                     "clause": "", "run_id": run.pk},
                    {"workflow": "sleeper", "version": 1, "binding": None, "run_id": None,
                     "result": "condition", "clause": "event.text == 'sleep'"}])
    wait = Wait.objects.create(run=run, instance=instance, path="steps[0]", kind="approval",
                               state="closed", created_at=now)
    Approval.objects.create(run=run, wait=wait, instance=instance, event=event, ask="Send it?",
                            show="hello", of=["user:ana"], state="approved", created_at=now,
                            answered_by="user:ana", answered_at=now)
    unknown = make_outbox(instance, key=f"omni:{run.pk}:{slug}", run_id=run.pk, caused_by=event,
                          conversation=conversation, error="timed out after the request was sent")
    Task.objects.create(instance=instance, kind="escalation", queue="sales", title="Call Ana",
                        event=event, conversation=conversation, contact=contact, run_id=run.pk,
                        effect_key=f"omni:{run.pk}:{slug}:task")
    Memory.objects.create(instance=instance, contact=contact, conversation=conversation,
                          text="likes tea", event=event, effect_key=f"omni:{run.pk}:{slug}:memory")
    return World(instance, event, raw, workflow, run, unknown, contact, conversation)


def make_surroundings() -> None:
    """Rows that belong to no instance."""
    Agent.objects.create(slug="helper", name="Helper", kind="openai",
                         credentials={"api_key": CANARY})
    Secret.objects.create(name="crm", value=CANARY)
    blocked = ContactList.objects.create(name="blocked", purpose="block")
    blocked.entries.create(pattern="+4999*")
    Knock.objects.create(hour=timezone.now(), address="webhook/nobody", count=3,
                         reason="unknown_address", last_at=timezone.now())
    note("user:ana", "workflow.published", "greeter", version=1)
