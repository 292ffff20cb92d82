"""Starts a workflow by hand: an event that names it, like everything else that wakes workflows."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connections.envelope import EventDraft, Handle
from connections.models import Instance
from events.models import Contact, Conversation, Event
from events.store import ingest, notify
from events.store.units import Unit
from omni.errors import InvalidInput
from registry.engine.route import matching, named
from registry.language.inputs import check
from registry.models import Workflow

INPUTS_MAX = 256 * 1024  # characters of JSON


def start(workflow: Workflow, *, instance: Instance, actor: str,
          inputs: Mapping[str, Any] | None = None, conversation: Conversation | None = None,
          contact: Contact | None = None, key: str = "") -> Event:
    """Store the event `system.manual` that wakes a workflow on an instance.

    inputs: win over those of the bindings. conversation, contact: where, and for whom, it runs.
    key: the same one gives the same event, not a second run; "" is a new one.
    Raises InvalidInput for what cannot be started like this, with code `other_request` when the
    key was used for something else.
    """
    given = dict(inputs or {})
    if conversation is not None and conversation.instance_id != instance.pk:
        raise InvalidInput(f"conversation {conversation.pk} is not on instance "
                           f"'{instance.slug}'", details={"conversation": "of another instance"})
    _check(workflow, instance, given)
    draft = _draft(workflow, given, actor, key or str(uuid.uuid4()))
    _place(draft, conversation, contact, instance)
    with transaction.atomic():
        [stored] = ingest.persist([Unit(
            instance_id=instance.pk, provider=instance.provider, drafts=[draft],
            received_at=timezone.now())])
        event = Event.objects.get(pk=(stored.event_ids or stored.known_ids)[0])
        same_place = event.conversation_id == (conversation.kept_id if conversation else None)
        if "revision_of" in event.context or not same_place or (
                contact is not None and event.contact_id != (contact.merged_into_id or contact.pk)):
            raise InvalidInput("this key was used to start something else; take another",
                               code="other_request")
    if stored.event_ids:
        notify.notifier.send(notify.EVENTS)
    return event


def _check(workflow: Workflow, instance: Instance, given: Mapping[str, Any]) -> None:
    """Raises InvalidInput that says what is in the way, and the way out."""
    slug = workflow.slug
    if workflow.archived_at is not None:
        raise InvalidInput(f"workflow '{slug}' is archived; save it again to take it back")
    if workflow.latest() is None:
        raise InvalidInput(f"workflow '{slug}' has no published version; publish it first")
    if not instance.is_on:
        raise InvalidInput(f"instance '{instance.slug}' is switched off; switch it on first",
                           details={"instance": "is switched off"})
    effective = matching.table(now=True).find(slug, instance.pk, instance.provider)
    if effective is None:
        raise InvalidInput(f"workflow '{slug}' is not switched on for instance "
                           f"'{instance.slug}'; bind it there first",
                           details={"instance": f"'{slug}' is not switched on here"})
    if not any(trigger.manual for trigger in effective.definition.triggers):
        raise InvalidInput(f"workflow '{slug}' (version {effective.version_number}) cannot be "
                           "started by hand; add '- manual: true' to its trigger and publish it")
    if len(json.dumps(given, default=str)) > INPUTS_MAX:
        raise InvalidInput(f"inputs must have at most {INPUTS_MAX} characters of JSON",
                           details={"inputs": "are too large"})
    wrong = check(effective.definition.inputs, given, others=effective.inputs)
    if wrong:
        raise InvalidInput("; ".join(f"{path} {why}" for path, why in wrong.items()),
                           details=wrong)


def _draft(workflow: Workflow, given: dict[str, Any], actor: str, key: str) -> EventDraft:
    return EventDraft(
        event_type=named.MANUAL, dedup_key=f"manual:{workflow.slug}:{key}",
        provider_event_type=named.MANUAL, direction="internal", source="live",
        normalizer="omni.manual@1",
        content={"workflow": workflow.slug, "inputs": given, "actor": actor})


def _place(draft: EventDraft, conversation: Conversation | None, contact: Contact | None,
           instance: Instance) -> None:
    """Say where it runs and for whom; without a contact it is the other side of the place."""
    if conversation is not None:
        draft.conversation_ref, draft.conversation_kind = conversation.ref, conversation.kind
        if contact is None:
            contact = _other_side(conversation)
    if contact is None:
        return
    contact = contact.merged_into or contact
    handle = contact.handles.filter(
        Q(scope="") | Q(scope=str(instance.pk)) | Q(instances=instance),
        provider=instance.provider, people_group=instance.people_group).order_by("pk").first()
    if handle is None:
        raise InvalidInput(f"contact {contact.pk} has no handle at {instance.provider} that "
                           f"instance '{instance.slug}' shares",
                           details={"contact": f"has no handle at {instance.provider}"})
    draft.contact_handles = [Handle(handle.kind, handle.value, handle.scope)]
    draft.contact_handle = handle.value


def _other_side(conversation: Conversation) -> Contact | None:
    """The person a direct conversation is with, as its newest event tells."""
    if conversation.kind != "direct":
        return None
    newest = Event.objects.of_conversation(conversation.pk).filter(contact__isnull=False).order_by(
        "-occurred_at", "-id").first()
    return newest.contact if newest else None
