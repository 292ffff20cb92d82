"""The conversation of a send: found by any name of the place it goes to, else made."""

from django.db import transaction

from connections.envelope import EventDraft, Place
from connections.models import Instance
from events.models import Conversation
from events.people import conversation_rows, conversations
from events.store import columns
from omni.errors import InvalidInput


def of_place(instance: Instance, place: Place) -> Conversation:
    """The one that was kept, where the place's was merged; two sends at once make one.

    Raises InvalidInput when the place has no name.
    """
    draft = _named(instance, [columns.ref(name) for name in (place.ref, *place.aliases)])
    draft.conversation_kind = place.kind
    for _ in range(2):
        with transaction.atomic():
            found = conversations.resolve([(instance.pk, draft)])
            transaction.on_commit(lambda found=found: conversations.remember(found))
        rows = Conversation.objects.select_related("merged_into").filter(instance=instance)
        row = rows.filter(pk=found.get((instance.pk, draft.conversation_ref))).first()
        if row is not None:
            if row.kept_apart:  # memory may not know yet which name was taken from it
                row = rows.filter(ref=draft.conversation_ref).first() or row
            kept = row.merged_into or row
            kept.instance = instance
            return kept
        conversations.forget()  # memory named a row that is gone
    raise InvalidInput(f"'{place.ref}' names no place to send to", code="bad_recipient")


def _named(instance: Instance, names: list[str]) -> EventDraft:
    """The names as what `conversations.resolve` reads; of several the one that is known, because
    an address somebody typed makes no two conversations one.
    """
    if len(names) > 1:
        known = conversation_rows.find((instance.pk, name) for name in names)
        names = [name for name in names if (instance.pk, name) in known][:1] or names
    return EventDraft(event_type="", dedup_key="", conversation_ref=names[0],
                      conversation_aliases=names[1:])
