"""Tags of conversations and labels of people."""

from typing import Any

from django.db import models, transaction
from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from actions.contact_lists import person_of
from events.models import Contact, Conversation, Event


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
        tags, retagged = _change(Conversation, conversation, "tags", params.add, params.remove)
        labels, relabelled = _change(Contact, contact, "labels", params.add_labels,
                                     params.remove_labels)
    return done(tags=tags, labels=labels, changed=retagged or relabelled)


def _change(model: type[models.Model], row: Any, column: str, add: list[str],
            remove: list[str]) -> tuple[list[str], bool]:
    """The row's words afterwards, and whether they changed; the row is locked meanwhile."""
    if row is None:
        return [], False
    if not add and not remove:
        return list(getattr(row, column)), False
    locked = model._default_manager.select_for_update().get(pk=row.pk)
    before = list(getattr(locked, column))
    wanted = [word.strip() for word in [*before, *add]]
    after = [word for word in dict.fromkeys(wanted) if word and word not in remove]
    if after != before:
        setattr(locked, column, after)
        locked.save(update_fields=[column])
    setattr(row, column, after)
    return after, after != before
