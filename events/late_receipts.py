"""Receipts that came before the message they are for: what they say about addresses.

Such a receipt opened a conversation under the address it came under. When its message comes, that
conversation becomes part of the message's, by the same rule as for a receipt that comes in order.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from events import conversation_rows, ingest, notify, other_names, same_place
from events.derive import Moved
from events.models import Conversation, Event


def settle(moved: Iterable[Moved]) -> None:
    """Join what only such receipts opened with the conversation of their message.

    A conversation somebody wrote in is left alone, and so is one with several names.
    """
    for receipt in {(one.was, one.to): one for one in moved}.values():
        with transaction.atomic():
            _settle(receipt)


def _settle(receipt: Moved) -> None:
    opened = Conversation.objects.select_related("instance").filter(
        pk=receipt.was, merged_into=None, kind="direct").first()
    if opened is None:
        return
    same_place.hold([opened.instance_id])
    to = Conversation.objects.filter(
        pk=receipt.to, instance_id=opened.instance_id, kind__in=("direct", "")).first()
    is_only_theirs = not Event.objects.filter(conversation_id=opened.pk).exclude(
        relation="status_of").exists() and conversation_rows.names([opened.pk])[
            opened.pk] == [opened.ref]
    if to is None or not is_only_theirs or not other_names.take(
            [((opened.instance_id, opened.ref), to.kept_id)], from_others=True):
        return
    because = Event.objects.get(pk=receipt.event_id)
    for joined in same_place.join([opened.pk, to.kept_id], into=to.kept_id):
        joined.note()
        ingest.persist([ingest.Unit(
            instance_id=opened.instance_id, provider=opened.instance.provider,
            received_at=timezone.now(), caused_by_id=because.pk, hop=because.hop + 1,
            drafts=[joined.event({"event": because.pk, "event_type": because.event_type,
                                  "dedup_key": because.dedup_key})])])
        notify.notifier.send(notify.EVENTS)
