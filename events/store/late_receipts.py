"""Receipts that came before the message they are for: what they say about addresses.

Such a receipt opened a conversation under the address it came under. When its message comes, that
conversation becomes part of the message's, by the same rule as for a receipt that comes in order.
`derive` marks such receipts with the link to their message, and has them settled afterwards.
"""

from collections.abc import Sequence

from django.db import connection
from django.utils import timezone

from events.models import Conversation, Event
from events.people import conversation_rows, guesses, other_names, same_place
from events.store import ingest, notify
from events.store.units import Unit

# What a receipt opened is found by the address it came under, which its row keeps.
_EARLY = """
SELECT e.id, w.id, e.conversation_id FROM omni_events e
JOIN omni_events t ON t.id = e.target_event_id AND t.from_me
JOIN omni_conversations w ON w.instance_id = e.instance_id AND w.ref = e.conversation_ref
    AND w.id <> e.conversation_id AND w.merged_into_id IS NULL AND w.kind = 'direct'
WHERE e.id = ANY(%s) AND e.relation = 'status_of' AND e.from_me
"""


def among(event_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Those of the events that are receipts for our own messages and are filed elsewhere than
    under their address: {id: (conversation of their address, of their message)}.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EARLY, [list(event_ids)])
        return {event_id: (was, to) for event_id, was, to in cursor.fetchall()}


def settle(event_id: int) -> None:
    """Join what only such receipts opened with the conversation of their message; nothing for any
    other event. The caller's transaction keeps it.

    A conversation somebody wrote in is left alone, and so is one with several names.
    """
    found = among([event_id]).get(event_id)
    if found is None:
        return
    was, to_id = found
    opened = Conversation.objects.select_related("instance").get(pk=was)
    same_place.hold([opened.instance_id])
    opened.refresh_from_db(fields=["merged_into"])
    to = Conversation.objects.filter(
        pk=to_id, instance_id=opened.instance_id, kind__in=("direct", "")).first()
    is_only_theirs = not Event.objects.filter(conversation_id=was).exclude(
        relation="status_of").exists() and conversation_rows.names([was])[was] == [opened.ref]
    if opened.merged_into_id or to is None or not is_only_theirs or not other_names.take(
            [((opened.instance_id, opened.ref), to.kept_id)], from_others=True):
        return
    because = Event.objects.get(pk=event_id)
    for joined in same_place.join([was, to.kept_id], into=to.kept_id):
        guesses.mark((opened.instance_id, opened.ref))
        joined.note()
        ingest.persist([Unit(
            instance_id=opened.instance_id, provider=opened.instance.provider,
            received_at=timezone.now(), caused_by_id=because.pk, hop=because.hop + 1,
            drafts=[joined.event({"event": because.pk, "event_type": because.event_type,
                                  "dedup_key": because.dedup_key})])])
        notify.notifier.send(notify.EVENTS)
