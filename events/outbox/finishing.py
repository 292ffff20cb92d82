"""The statement that ends an effect which went well: what came of it, and the event of a message.

What is unusual (an echo that was there first, new names of a place, changes of other messages) is
left to `sent_events` and `attempts.finish`.
"""

from typing import Any

from connections.envelope import SendResult
from connections.storable import storable, storable_json
from events.models import OutboxMessage
from events.store import ingest
from events.store.units import Unit
from omni import statements

_PLAIN_RELATIONS = ("", "replies_to")
_FINISH = """UPDATE omni_outbox SET state = 'succeeded', provider_message_id = %s::text, error = '',
    error_code = '', answer = %s::jsonb, ended_at = omni_now(), resolution = ''{event}
WHERE id = %s::bigint"""
_ALONE = _FINISH.format(event="") + " RETURNING NULL::bigint"
_WITH_EVENT = f"""
WITH {{stored}},
finished AS (
    {_FINISH.format(event=", event_id = (SELECT id FROM stored)")}
        AND EXISTS (SELECT 1 FROM stored) RETURNING event_id)
SELECT event_id FROM finished
"""


def at_once(row: OutboxMessage, result: SendResult, unit: Unit | None) -> bool:
    """Store a success and its event in one statement; False, and nothing, where that does not do.

    unit: the event of a message, None for other acts.
    """
    if result.status != "succeeded" or not (unit is None or _is_plain(row, unit)):
        return False
    own: list[Any] = [storable(result.provider_message_id), storable_json(result.answer), row.pk]
    if unit is None:
        found = statements.execute(_ALONE, own)
    else:
        stored, event = ingest.inserting(unit, conversation_id=row.conversation_id)
        found = statements.execute(_WITH_EVENT.format(stored=stored), [event, *own])
    if not found:
        return False
    row.state, row.event_id = "succeeded", found[0][0] or row.event_id
    row.provider_message_id, row.error, row.error_code = own[0], "", ""
    return True


def _is_plain(row: OutboxMessage, unit: Unit) -> bool:
    [draft] = unit.drafts
    return (row.conversation_id is not None and draft.relation in _PLAIN_RELATIONS
            and not (draft.conversation_aliases or draft.conversation_guesses
                     or draft.attachments))
