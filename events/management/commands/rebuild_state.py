"""`manage.py rebuild_state`: what messages look like now, folded again from all their events."""

from collections.abc import Iterator

from django.core.management.base import BaseCommand
from django.db import connection

from connections.models import Instance
from events.models import MessageState
from events.store import derive, state
from events.store.raw_selection import instance_named

CHUNK = 500
# Ids of messages that something was said about, in order; the rows there are, so that what no
# event speaks of any more is found too.
_NEXT_IDS = """
(SELECT DISTINCT provider_message_id FROM omni_events WHERE instance_id = %(instance)s
   AND provider_message_id > %(last)s AND event_type LIKE 'message.%%'
   AND relation NOT IN ('reacts_to', 'pins', 'replaces', 'deletes', 'status_of', 'revises')
   ORDER BY 1 LIMIT %(most)s)
UNION
(SELECT DISTINCT target_message_id FROM omni_events WHERE instance_id = %(instance)s
   AND target_message_id > %(last)s AND relation NOT IN ('', 'replies_to', 'derived_from')
   ORDER BY 1 LIMIT %(most)s)
UNION
(SELECT provider_message_id FROM omni_message_state WHERE instance_id = %(instance)s
   AND provider_message_id > %(last)s ORDER BY 1 LIMIT %(most)s)
ORDER BY 1 LIMIT %(most)s
"""


class Command(BaseCommand):
    help = "Rebuild the current face of every message from the stored events."

    def add_arguments(self, parser):
        parser.add_argument("--instance", metavar="SLUG", help="only this instance's messages")

    def handle(self, **options):
        instances = ([instance_named(options["instance"])] if options["instance"]
                     else Instance.objects.order_by("slug"))
        for instance in instances:
            count, left_out = 0, {}
            for message_ids in _chunks(instance.pk):
                left_out |= state.rebuild(instance.pk, message_ids)
                count += len(message_ids)
            left, _ = MessageState.objects.filter(
                instance=instance, introduced_by=None, last_event=None).delete()
            self.stdout.write(f"{instance.slug}: {count - left} messages, {left} rows that no "
                              "event speaks of removed")
            for event_id, reason in sorted(left_out.items()):
                self.stdout.write(f"{instance.slug}: event {event_id} was left out: {reason}")
        derive.redo(at_once=True)


def _chunks(instance_id: int) -> Iterator[list[str]]:
    last = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT_IDS, {"instance": instance_id, "last": last, "most": CHUNK})
            found = [message_id for (message_id,) in cursor.fetchall()]
        if not found:
            return
        yield found
        last = found[-1]
