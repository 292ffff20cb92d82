"""A send of a step that may have gone out: the provider's echo is waited for before that is said.

The step meets its effect key again when the time is up, or as soon as an echo settled the send.
"""

from typing import Any

from django.conf import settings
from django.db import connection

from connections.envelope import OutboundMessage
from events.outbox import deliver
from events.outbox.attempts import Delivered
from omni.errors import Held

_LEFT = """
SELECT CASE WHEN state = 'unknown' THEN %s - extract(epoch FROM omni_now() - ended_at) ELSE 0 END
FROM omni_outbox WHERE id = %s AND resolution IN ('', 'echo')
    AND (state <> 'unknown' OR ended_at > omni_now() - %s * interval '1 second')
"""


def send(message: OutboundMessage, **facts: Any) -> Delivered:
    """`events.outbox.deliver.send`; raises Held while it is unknown what became of it, for
    OMNI_ECHO_WAIT_SECONDS at most.
    """
    delivered = deliver.send(message, **facts)
    if delivered.state != "unknown":
        return delivered
    left = _seconds_left(delivered.outbox_id)
    if left is None:
        return delivered
    raise Held("the message may have gone out, and its echo may say so", retry_after=left)


def _seconds_left(outbox_id: int) -> float | None:
    """None when nothing is waited for; 0 when the send was settled just now."""
    wait = settings.OMNI_ECHO_WAIT_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [wait, outbox_id, wait])
        row = cursor.fetchone()
    return float(row[0]) if row else None
