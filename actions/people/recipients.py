"""Where a message to somebody else than the event's own conversation goes."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connections.access import SYSTEM, Principal
from connections.models import Instance
from events.models import Contact, Conversation, ConversationAlias, Event
from events.models.conversation import ConversationQuerySet
from omni.errors import InvalidParams

_KINDS = ("phone", "email", "jid", "username", "id", "lid", "uuid")  # the first one is written to
_ID_DIGITS = 9  # longer numbers are phones and ids of services, never rows of ours


class Person(BaseModel):
    """Somebody to write to, as `transform.audience.members` lists them."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    handle: str = Field("", description="What to write to.")
    name: str = Field("", description="The person's name; for readers only.")
    contact_id: int | None = Field(None, description="The contact.")

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not self.handle.strip() and self.contact_id is None:
            raise ValueError("give a handle or a contact_id")
        return self


@dataclass(frozen=True, slots=True)
class Recipient:
    """address: as the provider knows it. conversation: the row that was kept, when the place is
    known; the address is the one that was asked for, where one was.
    """

    address: str
    conversation: Conversation | None = None


def find(to: str | int | Person, *, instance: Instance,
         viewer: Principal | None = None) -> Recipient:
    """The recipient of a conversation's number, its ref, an earlier ref of it, a handle, or a
    person, who is written to in the direct conversation they are in.

    A text of up to 9 digits that is no ref is tried as the number of a conversation. viewer: for
    whom a contact they may not see is not there. Raises InvalidParams for a number nothing has at
    this instance, and for an empty `to`.
    """
    if isinstance(to, Person):
        return _of_person(to, instance, viewer or SYSTEM)
    text = str(to).strip()
    if not text:
        raise InvalidParams("`to` is empty: give a conversation or a handle",
                            details={"to": "is empty"})
    place = _by_ref(text, instance)
    if place is None and text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS:
        place = _kept(Conversation.objects.filter(instance=instance, pk=int(text)))
        if place is None and isinstance(to, int):
            raise InvalidParams(f"instance '{instance.slug}' has no conversation {text}",
                                details={"to": "unknown conversation"})
        if place is not None:
            return Recipient(place.ref, place)
    return Recipient(text, place)


def _of_person(person: Person, instance: Instance, viewer: Principal) -> Recipient:
    """By the handle where it names a known place, else where the contact was last, else by handle.
    A contact is written to at the conversation's own address, a handle alone as it stands.

    Raises InvalidParams for a contact who was never met at this instance.
    """
    handle = person.handle.strip()
    if handle:
        ref = instance.adapter.place_of(handle, instance.account()).ref
        place = _by_ref(ref, instance)
        if place is not None:
            return Recipient(ref if person.contact_id is None else place.ref, place)
    place = None
    if person.contact_id is not None:
        contact = Contact.objects.visible_to(viewer).select_related("merged_into").filter(
            pk=person.contact_id, people_group=instance.people_group).first()
        kept = (contact.merged_into or contact) if contact else None
        place = _last_place(kept, instance) if kept else None
        handle = handle or (address_of(kept, instance) if kept else "")
    if place is None and not handle:
        raise InvalidParams(
            f"contact {person.contact_id} was never met at instance '{instance.slug}'",
            details={"to": "unknown contact"})
    return Recipient(place.ref, place) if place else Recipient(handle)


def _last_place(contact: Contact, instance: Instance) -> Conversation | None:
    """The direct conversation a contact was last part of at an instance."""
    newest = Event.objects.filter(
        contact__in=Contact.objects.group_ids(contact.pk), instance=instance,
        conversation__kind="direct").order_by("-occurred_at", "-id").values_list(
        "conversation_id", flat=True).first()
    return _kept(Conversation.objects.filter(pk=newest)) if newest else None


def address_of(contact: Contact, instance: Instance) -> str:
    """The handle a contact is written to at: a phone before a mail before a native id."""
    rows = list(contact.handles.filter(provider=instance.provider, instances=instance
                                       ).order_by("pk"))
    rows.sort(key=lambda row: _KINDS.index(row.kind) if row.kind in _KINDS else len(_KINDS))
    return rows[0].value if rows else ""


def instance_of(slug: str, *, default: Instance, viewer: Principal | None = None) -> Instance:
    """The instance of a slug, `default` for "". Raises InvalidParams when it cannot send, in the
    same words when the viewer may not see it.
    """
    if not slug or slug == default.slug:
        return default
    instance = Instance.objects.visible_to(viewer or SYSTEM).active().filter(
        slug=slug, enabled=True).first()
    if instance is None:
        raise InvalidParams(f"there is no enabled instance '{slug}'",
                            details={"instance": "unknown instance"})
    return instance


def _by_ref(ref: str, instance: Instance) -> Conversation | None:
    place = _kept(Conversation.objects.filter(instance=instance, ref=ref))
    if place is not None:
        return place
    alias = ConversationAlias.objects.filter(instance=instance, ref=ref).select_related(
        "conversation").first()
    return alias.conversation if alias else None


def _kept(rows: ConversationQuerySet) -> Conversation | None:
    """The row that stands for the place of the first of these."""
    row = rows.select_related("merged_into").first()
    return (row.merged_into or row) if row else None
