"""Events that actions make themselves: internal, once per key, in the trace of what caused them.

One hop further than their cause, so that workflows that wake each other come to an end.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from connections.envelope import EventDraft
from events.models import Event
from events.store import ingest, notify
from events.store.units import Unit


def store(event_type: str, *, dedup_key: str, caused_by: Event, text: str | None = None,
          content: dict[str, Any], place: Event | None = None, **more: Any) -> int:
    """The id of the event, new or known. place: an event of the same conversation (the cause).

    Raises django.db errors; nothing is stored then.
    """
    place = place or caused_by
    now = datetime.now(UTC)
    draft = EventDraft(
        event_type=event_type, dedup_key=dedup_key, provider_event_type=event_type,
        direction="internal", auto_generated=True, conversation_ref=place.conversation_ref,
        thread_ref=place.thread_ref, text=text, content=content, occurred_at=now, **more)
    stored = ingest.persist([Unit(
        instance_id=caused_by.instance_id, provider=caused_by.provider, drafts=[draft],
        received_at=now, caused_by_id=caused_by.pk, trace_id=caused_by.trace_id,
        hop=caused_by.hop + 1)])[0]
    transaction.on_commit(lambda: notify.notifier.send(notify.EVENTS))
    return (stored.event_ids or stored.known_ids)[0]
