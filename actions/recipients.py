"""Where a message to somebody else than the event's own conversation goes."""

from dataclasses import dataclass

from connections.models import Instance
from events.models import Conversation, ConversationAlias
from omni.errors import InvalidParams

_ID_DIGITS = 9  # longer numbers are phones and ids of services, never rows of ours


@dataclass(frozen=True, slots=True)
class Recipient:
    """address: as the provider knows it. conversation: the row, when the place is known."""

    address: str
    conversation: Conversation | None = None


def find(to: str | int, *, instance: Instance) -> Recipient:
    """The recipient of a conversation's number, its ref, an earlier ref of it, or a handle.

    A text of up to 9 digits that is no ref is tried as the number of a conversation. Raises
    InvalidParams for a number nothing has at this instance, and for an empty `to`.
    """
    text = str(to).strip()
    if not text:
        raise InvalidParams("`to` is empty: give a conversation or a handle",
                            details={"to": "is empty"})
    place = _by_ref(text, instance)
    if place is None and text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS:
        place = Conversation.objects.filter(instance=instance, pk=int(text)).first()
        if place is None and isinstance(to, int):
            raise InvalidParams(f"instance '{instance.slug}' has no conversation {text}",
                                details={"to": "unknown conversation"})
    return Recipient(place.ref, place) if place else Recipient(text)


def instance_of(slug: str, *, default: Instance) -> Instance:
    """The instance of a slug, `default` for "". Raises InvalidParams when it cannot send."""
    if not slug or slug == default.slug:
        return default
    instance = Instance.objects.active().filter(slug=slug, enabled=True).first()
    if instance is None:
        raise InvalidParams(f"there is no enabled instance '{slug}'",
                            details={"instance": "unknown instance"})
    return instance


def _by_ref(ref: str, instance: Instance) -> Conversation | None:
    place = Conversation.objects.filter(instance=instance, ref=ref).first()
    if place is not None:
        return place
    alias = ConversationAlias.objects.filter(instance=instance, ref=ref).select_related(
        "conversation").first()
    return alias.conversation if alias else None
