"""What a person says about merged conversations: that they are two after all."""

from django.db import transaction
from django.utils import timezone

from events.models import Contact, Conversation
from events.people import conversations, same_person, same_place
from events.store import ingest, notify
from events.store.units import Unit
from omni import audit
from omni.errors import InvalidInput


def split(conversation: Conversation, *, actor: str, ref: str = "") -> Conversation:
    """Undo the merge of a conversation, and that of its contact; returns the one it was part of.

    ref: another name of the conversation that is none after all; it becomes a conversation of its
    own. An event that names both again leaves them two; it is filed by the address it came under.
    Raises InvalidInput when the conversation is not merged, or has no such name.
    """
    with transaction.atomic():
        same_place.hold([conversation.instance_id])
        conversation.refresh_from_db()
        done = same_place.take_away(ref, conversation) if ref else same_place.split(conversation)
        if done is None:
            raise InvalidInput(
                f"'{ref}' is no other name of conversation {conversation.pk}" if ref
                else f"conversation {conversation.pk} is not merged", code="not_merged")
        contact = _merged_contact(done)
        if contact is not None:
            same_person.separate(contact, actor=actor)
        audit.note(actor, "conversation.split", f"conversation:{done.merged.pk}",
                   ref=done.merged.ref, kept=done.kept.pk, contact=contact.pk if contact else None)
        now = timezone.now()
        ingest.persist([Unit(
            instance_id=conversation.instance_id, provider=conversation.instance.provider,
            received_at=now, drafts=[done.event(
                {"dedup_key": now.isoformat(), "actor": actor}, event_type=same_place.SPLIT)])])
        notify.notifier.send(notify.EVENTS)
    conversations.forget()
    return done.kept


def _merged_contact(done: same_place.PlaceJoin) -> Contact | None:
    """The contact of the younger place, where it became that of the older one."""
    contact, other = done.merged.contact, done.kept.contact
    if contact is None or other is None or contact.merged_into_id is None:
        return None
    return contact if contact.merged_into_id == (other.merged_into_id or other.pk) else None
