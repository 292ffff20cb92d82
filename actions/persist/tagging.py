"""Tags of conversations and labels of people."""

from django.db import transaction
from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from actions.people.contact_lists import person_of
from events.models import Contact, Conversation, Event
from events.people import known_by


class TaggingParams(Params):
    add: list[str] = Field([], max_length=50, description="Tags the conversation gets.")
    remove: list[str] = Field([], max_length=50, description="Tags the conversation loses.")
    add_labels: list[str] = Field([], max_length=50, description="Labels the contact gets.")
    remove_labels: list[str] = Field([], max_length=50, description="Labels the contact loses.")


class TaggingOutput(Output):
    tags: list[str] = Field([], description="Tags of the conversation afterwards.")
    labels: list[str] = Field([], description="Labels of the contact afterwards.")
    changed: bool = Field(False, description="Whether anything was different before.")


@action("persist.tagging", params=TaggingParams, output=TaggingOutput, effects="write",
        idempotent=True)
def tag(event: Event, params: TaggingParams, context: Context) -> Outcome:
    """Tag the conversation and label the contact, or take tags and labels away."""
    conversation, contact = event.conversation, person_of(event)
    if (params.add or params.remove) and conversation is None:
        return failed("the event has no conversation to tag", code="invalid")
    if (params.add_labels or params.remove_labels) and contact is None:
        return failed("the event has no contact to label", code="invalid")
    with transaction.atomic():
        tags, retagged = _tag(conversation, params.add, params.remove)
        labels, relabelled = _label(contact, params.add_labels, params.remove_labels,
                                    instance_id=event.instance_id)
    return done(tags=tags, labels=labels, changed=retagged or relabelled)


def _tag(row: Conversation | None, add: list[str], remove: list[str]) -> tuple[list[str], bool]:
    """The tags afterwards, and whether they changed; the row is locked meanwhile."""
    if row is None or not (add or remove):
        return list(row.tags) if row else [], False
    locked = Conversation.objects.select_for_update().get(pk=row.pk)
    before = list(locked.tags)
    row.tags = [word for word in dict.fromkeys([*before, *_words(add)]) if word not in remove]
    if row.tags != before:
        locked.tags = row.tags
        locked.save(update_fields=["tags"])
    return list(row.tags), row.tags != before


def _label(row: Contact | None, add: list[str], remove: list[str], *,
           instance_id: int) -> tuple[list[str], bool]:
    """The labels afterwards, and whether they changed; the row is locked meanwhile."""
    if row is None or not (add or remove):
        return list(row.labels) if row else [], False
    locked = Contact.objects.select_for_update().get(pk=row.pk)
    before = list(locked.labels)
    known_by.write(locked, instance_ids=[instance_id], add_labels=_words(add),
                   remove_labels=remove)
    row.labels = locked.labels
    return list(row.labels), row.labels != before


def _words(words: list[str]) -> list[str]:
    return [word.strip() for word in words if word.strip()]
