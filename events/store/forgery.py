"""Which changes of a message count: those from where it is, and edits only from its author. Pure.

Whoever knows a message's id can name it from anywhere. Where it is not known who changed something,
the change counts. Deleting, reacting, voting and pinning is open to all in the conversation: the
provider lets admins of a group delete what others wrote.
"""

from collections.abc import Sequence
from typing import Any

from connections.envelope import CHANGE_RELATIONS


def without(events: Sequence[Any], message_id: str) -> list[Any]:
    """The events about a message without those of somebody who could not do that.

    events: with `in_place` (id of the conversation kept), `by_person` (contact of the actor) and
    `by_addresses` (the kinds of address that person has), None where they are not known.
    """
    told = [event for event in events if event.provider_message_id == message_id
            and event.relation not in CHANGE_RELATIONS]
    if not told:
        return list(events)
    message = min(told, key=lambda event: event.pk)
    return [event for event in events
            if event.relation not in CHANGE_RELATIONS or not _is_forged(event, message)]


def _is_forged(change: Any, message: Any) -> bool:
    if None not in (change.in_place, message.in_place) and change.in_place != message.in_place:
        return True
    return change.relation == "replaces" and change.by_person is not None and (
        change.from_me != message.from_me or _is_another(change, message))


def _is_another(change: Any, message: Any) -> bool:
    """Two contacts who both have an address of one kind; else they may be one person met twice."""
    return message.by_person is not None and change.by_person != message.by_person and not set(
        change.by_addresses).isdisjoint(message.by_addresses)
