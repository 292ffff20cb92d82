"""The events of a burst as they are now: oldest first, edited, and without what was deleted."""

from collections.abc import Sequence
from typing import Any

from connections.envelope import MESSAGE_KINDS
from events.models import Event, MessageState

_EDITED, _DELETED = "message.edited", "message.deleted"
_Subject = tuple[int, str] | None  # instance id, provider_message_id


def read(batch: Sequence[int], *, known: Event | None = None) -> list[Event]:
    """The events with these ids, by `occurred_at` and then id; [] when everything was deleted.

    `text` is the present text of the message (not stored: events never change). An edit or a
    deletion of a message of the burst is no event of its own beside it.
    known: the one that was read already; it is used as it is. Two queries for any number.
    """
    rows = Event.objects.select_related("conversation", "contact").in_bulk(
        [id for id in batch if known is None or id != known.pk])
    if known is not None:
        rows[known.pk] = known
    events = sorted(rows.values(), key=lambda event: (event.occurred_at, event.pk))
    about = {event.pk: _subject(event) for event in events}
    states = _states(subject for subject in about.values() if subject is not None)
    stands = _standing(events, about)
    kept = []
    for event in events:
        subject = about[event.pk]
        state = None if subject is None else states.get(subject)
        if subject is not None and stands[subject] is not event:
            continue
        if event.event_type != _DELETED and state is not None:
            if state.deleted_at is not None:
                continue
            if state.edited_at is not None or state.text:
                event.text = state.text
        kept.append(event)
    return kept


def _subject(event: Event) -> _Subject:
    """The message whose words an event tells or takes back, None for any other event."""
    name = None
    if event.event_type in MESSAGE_KINDS:
        name = event.provider_message_id
    elif event.event_type in (_EDITED, _DELETED):
        name = event.target_message_id
    return (event.instance_id, name) if name else None


def _standing(events: Sequence[Event], about: dict[int, _Subject]) -> dict[Any, Event]:
    """{message: the event that stands for it}: the one that brought it, else the newest."""
    found: dict[Any, Event] = {}
    for event in events:
        subject = about[event.pk]
        if subject is None:
            continue
        first = found.get(subject)
        if first is None or first.event_type not in MESSAGE_KINDS:
            found[subject] = event
    return found


def _states(subjects: Any) -> dict[tuple[int, str], MessageState]:
    wanted = set(subjects)
    if not wanted:
        return {}
    rows = MessageState.objects.filter(
        instance_id__in={subject[0] for subject in wanted},
        provider_message_id__in={subject[1] for subject in wanted}).only(
            "instance_id", "provider_message_id", "text", "edited_at", "deleted_at")
    return {(row.instance_id, row.provider_message_id): row for row in rows}
