"""Sends to one address whose echo may come under another: the adapter says what can be one place.
"""

from collections.abc import Mapping, Sequence

from django.db import connection

from connections.models import by_id
from events.models import Event
from events.outbox.likeness import Send

_NAMES = """
SELECT c.instance_id, c.ref, a.ref FROM omni_conversations c
JOIN omni_conversation_aliases a ON a.conversation_id = coalesce(c.merged_into_id, c.id)
JOIN unnest(%s::bigint[], %s::text[]) AS w(instance_id, ref)
    ON c.instance_id = w.instance_id AND c.ref = w.ref
"""


def keep(events: Sequence[Event], found: Mapping[int, Sequence[Send]]) -> dict[int, list[Send]]:
    """Without the sends to what is known to be another place than the event's, by any name."""
    asked = {(event.instance_id, ref) for event in events for ref in
             (event.conversation_ref, *(send.recipient for send in found[event.pk]))}
    names: dict[tuple[int, str], set[str]] = {key: {key[1]} for key in asked}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [[key[0] for key in asked], [key[1] for key in asked]])
        for instance_id, ref, alias in cursor.fetchall():
            names[instance_id, ref].add(alias)
    adapters = {id: by_id(id).adapter for id in {event.instance_id for event in events}}
    return {event.pk: [
        send for send in found[event.pk] if not send.elsewhere or all(
            adapters[event.instance_id].can_be_same(sent_to, come_under)
            for sent_to in names[event.instance_id, send.recipient]
            for come_under in names[event.instance_id, event.conversation_ref])]
        for event in events}
