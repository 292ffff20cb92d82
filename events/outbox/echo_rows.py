"""The statements of `echoes`: which events and sends belong together, as the database tells it.

`e` is an event, `o` a row of the outbox. What the words have to do with each other is decided by
`likeness`; here they only narrow the rows.
"""

from events.outbox import likeness

HOLD_SECONDS = 60  # a call is over by then, or its process is gone
WINDOW_SECONDS = 600  # after the beginning of a send: later events are no echo of it
REFUSED_SECONDS = 5  # after a server said no: what it sent all the same is told within that
SKEW_SECONDS = 2  # between the clocks of the door and of the database
NOT_LIVE = ("api", "history", "import")

_CAN_BE = f"""e.direction = 'outbound' AND e.source NOT IN {NOT_LIVE}
    AND starts_with(e.event_type, 'message.') AND NOT starts_with(e.event_type, 'message.status.')
"""
# The rows of one conversation, of which the send and its echo may have met different ones.
_GROUP = """(SELECT g.id FROM omni_conversations c
    JOIN omni_conversations k ON k.id = coalesce(c.merged_into_id, c.id)
    JOIN omni_conversations g ON g.id = k.id OR g.merged_into_id = k.id
    WHERE c.id = e.conversation_id)"""
_SAME_PLACE = (f"(o.conversation_id = e.conversation_id OR o.recipient = e.conversation_ref "
               f"OR o.conversation_id IN {_GROUP})")
# A place of one person where nobody has written yet, as far as we know: it may be the place of a
# send under a name that we have not met (a hidden address, a number with or without a digit).
# What our own echoes left there says nothing else.
_NEW_PLACE = """(EXISTS (
    SELECT 1 FROM omni_conversations c WHERE c.id = e.conversation_id
    AND c.kind IN ('direct', '') AND c.merged_into_id IS NULL)
AND NOT EXISTS (
    SELECT 1 FROM omni_events p WHERE p.conversation_id = e.conversation_id AND p.id < e.id
    AND starts_with(p.event_type, 'message.') AND NOT starts_with(p.event_type, 'message.status.')
    AND p.client_ref IS NULL AND (p.routed_at IS NOT NULL OR p.direction <> 'outbound')))"""


def _letters(text: str) -> str:
    """What the beginning of a text has under every way to write it: equal words have the same
    letters, or those of one begin with those of the other. The beginning, for the time it takes.
    """
    return f"regexp_replace(normalize(left({text}, 32), NFD), '[^[:alnum:]]+', '', 'g')"


_EFFECTS = tuple(likeness.EFFECTS)
_SAID, _HEARD = "coalesce(o.request->>'text', '')", "coalesce(e.text, '')"
# At least what `likeness.Send.fits` finds.
_ALIKE = f"""(o.kind IN {(*_EFFECTS, *sorted(likeness.WORDLESS))}
    OR {_letters(_SAID)} = {_letters(_HEARD)}
    OR (greatest(length({_SAID}), length({_HEARD})) > 32 AND (
        starts_with({_letters(_SAID)}, {_letters(_HEARD)})
        OR starts_with({_letters(_HEARD)}, {_letters(_SAID)}))))"""
# Whether an event `e` cannot be told yet: a send to its place began before it and has no outcome,
# or one of the same words to a place that may be the same. Both times are the database's.
HELD = f"""({_CAN_BE} AND e.client_ref IS NULL AND EXISTS (
    SELECT 1 FROM omni_outbox o WHERE o.instance_id = e.instance_id AND o.state = 'sending'
    AND o.started_at > omni_now() - interval '{HOLD_SECONDS} seconds'
    AND o.started_at < e.created_at AND ({_SAME_PLACE} OR ({_NEW_PLACE} AND {_ALIKE}))))"""

_SEND = ("o.id, o.effect_key, o.kind, o.request->>'text' AS said, "
         "o.request->>'target_message_id' AS target, o.recipient, o.started_at, "
         "o.resolution = 'echo' AS is_settled")
_BETWEEN = f"""o.started_at BETWEEN e.{{clock}} - interval '{WINDOW_SECONDS} seconds'
    AND e.{{clock}} + interval '{SKEW_SECONDS} seconds'"""
# By our clock or by the provider's: theirs may be wrong, and a delivery may come late.
_IN_TIME = f"({_BETWEEN.format(clock='received_at')} OR {_BETWEEN.format(clock='occurred_at')})"
# A server may send, and say no all the same; a person's word is not doubted.
_REFUSED = f"""(o.state IN ('rejected', 'not_sent') AND o.resolution = ''
    AND e.created_at BETWEEN o.started_at AND o.ended_at + interval '{REFUSED_SECONDS} seconds')"""
# What words are compared with: sends whose echo has not been seen, nor an id that says otherwise.
_IN_QUESTION = f"""{_IN_TIME} AND e.client_ref IS NULL
    AND (o.state IN ('sending', 'unknown', 'succeeded') OR {_REFUSED}) AND o.resolution <> 'echo'
    AND (o.provider_message_id IS NULL OR e.provider_message_id IS NULL
         OR o.kind IN {_EFFECTS})"""
# A send that was settled by its words at another place: what comes to its very address is surer.
_MOVES = f"""{_IN_TIME} AND e.client_ref IS NULL AND o.state = 'succeeded'
    AND o.resolution = 'echo' AND o.kind NOT IN {_EFFECTS} AND EXISTS (
        SELECT 1 FROM omni_events x WHERE x.id = o.event_id AND x.conversation_ref <> o.recipient
        AND x.provider_message_id = o.provider_message_id AND x.conversation_id NOT IN {_GROUP})"""
OF_EVENTS = f"""
SELECT e.id, o.exact, o.id, o.effect_key, o.kind, o.said, o.target, o.recipient, o.elsewhere,
    o.is_settled
FROM omni_events e CROSS JOIN LATERAL (
    SELECT {_SEND}, true AS exact, false AS elsewhere FROM omni_outbox o
    WHERE o.effect_key = e.client_ref AND o.instance_id = e.instance_id
    UNION ALL
    SELECT {_SEND}, true, false FROM omni_outbox o WHERE o.event_id = e.id AND o.resolution = 'echo'
    UNION ALL
    SELECT {_SEND}, true, false FROM omni_outbox o
    WHERE o.instance_id = e.instance_id AND o.provider_message_id = e.provider_message_id
    UNION ALL
    SELECT {_SEND}, false, false FROM omni_outbox o
    WHERE o.conversation_id IN {_GROUP} AND {_IN_QUESTION}
    UNION ALL
    SELECT {_SEND}, false, false FROM omni_outbox o
    WHERE o.instance_id = e.instance_id AND o.recipient = e.conversation_ref
        AND ({_IN_QUESTION} OR {_MOVES})
    UNION ALL
    SELECT {_SEND}, false, true FROM omni_outbox o
    WHERE o.instance_id = e.instance_id AND o.state IN ('sending', 'unknown') AND {_IN_QUESTION}
    AND NOT {_SAME_PLACE} AND {_NEW_PLACE}) o
WHERE e.id = ANY(%s)
ORDER BY e.id, o.exact DESC, o.elsewhere, o.is_settled, o.started_at, o.id
"""
# Echoes of what was under way are not routed yet; of a known conversation all events are asked.
# Another send of the same words may be the event's own: then its answer is waited for.
OF_SENDS = f"""
SELECT e.id, e.client_ref IS NOT NULL, {_SEND}
FROM omni_outbox o CROSS JOIN LATERAL (
    SELECT event_id AS id FROM omni_inbox WHERE instance_id = o.instance_id
    UNION SELECT id FROM omni_events WHERE conversation_id = o.conversation_id
        AND occurred_at BETWEEN o.started_at - interval '{WINDOW_SECONDS} seconds'
            AND o.started_at + interval '{WINDOW_SECONDS} seconds') near
JOIN omni_events e ON e.id = near.id AND {_CAN_BE} AND {_SAME_PLACE}
    AND e.received_at BETWEEN o.started_at - interval '{SKEW_SECONDS} seconds'
        AND o.started_at + interval '{WINDOW_SECONDS} seconds'
    AND coalesce(e.client_ref, o.effect_key) = o.effect_key
WHERE o.id = ANY(%s) AND (o.state = 'unknown' OR {_REFUSED}) AND NOT EXISTS (
    SELECT 1 FROM omni_outbox s WHERE s.instance_id = o.instance_id AND s.id <> o.id
    AND s.state = 'sending' AND s.started_at <= e.received_at
    AND s.started_at > omni_now() - interval '{HOLD_SECONDS} seconds'
    AND s.recipient = o.recipient AND s.kind = o.kind
    AND s.request->>'text' IS NOT DISTINCT FROM o.request->>'text')
ORDER BY e.id, o.started_at, o.id
FOR UPDATE OF e SKIP LOCKED
"""
# What may be an echo under a name not met yet; what a send under way may have said waits for it.
STRANGE = f"""
SELECT e.id FROM omni_outbox o
JOIN omni_inbox i ON i.instance_id = o.instance_id
JOIN omni_events e ON e.id = i.event_id AND {_CAN_BE}
    AND e.client_ref IS NULL AND {_IN_TIME} AND NOT {_SAME_PLACE} AND {_NEW_PLACE}
WHERE o.id = ANY(%s) AND o.state = 'unknown' AND {_ALIKE} AND NOT EXISTS (
    SELECT 1 FROM omni_outbox s WHERE s.instance_id = o.instance_id AND s.id <> o.id
    AND s.state = 'sending' AND s.started_at <= e.created_at
    AND s.started_at > omni_now() - interval '{HOLD_SECONDS} seconds'
    AND s.kind = o.kind AND s.request->>'text' IS NOT DISTINCT FROM o.request->>'text')
ORDER BY e.id
FOR UPDATE OF e SKIP LOCKED
"""
CLAIM = """
WITH w AS (SELECT * FROM jsonb_to_recordset(%s::jsonb)
               AS w(event_id bigint, outbox_id bigint, exact bool, moves bool)),
settled AS (
    UPDATE omni_outbox o SET state = 'succeeded', resolution = 'echo',
        event_id = CASE WHEN o.state = 'succeeded' AND o.resolution <> 'echo'
            THEN coalesce(o.event_id, e.id) ELSE e.id END,
        provider_message_id = CASE WHEN o.resolution = 'echo' THEN e.provider_message_id
            ELSE coalesce(o.provider_message_id, e.provider_message_id) END,
        ended_at = coalesce(o.ended_at, clock_timestamp())
    FROM w JOIN omni_events e ON e.id = w.event_id
    WHERE o.id = w.outbox_id AND (o.resolution = 'echo') = w.moves
        AND (NOT w.moves OR EXISTS (SELECT 1 FROM omni_events x WHERE x.id = o.event_id
                                    AND x.conversation_ref <> o.recipient))
        AND (o.state IN ('sending', 'unknown') OR (o.state = 'succeeded' AND NOT w.exact)
             OR (o.state IN ('rejected', 'not_sent') AND o.resolution = ''))
    RETURNING o.id, w.event_id),
given_back AS (
    UPDATE omni_events x SET client_ref = NULL, caused_by_id = NULL, hop = 0, auto_generated = false
    FROM settled s JOIN omni_outbox o ON o.id = s.id
    WHERE o.resolution = 'echo' AND x.id = o.event_id)
UPDATE omni_events e SET client_ref = coalesce(e.client_ref, o.effect_key),
    caused_by_id = coalesce(e.caused_by_id, o.caused_by_id),
    hop = greatest(e.hop, coalesce(c.hop + 1, 0)),
    trace_id = CASE WHEN e.caused_by_id IS NULL THEN coalesce(c.trace_id, e.trace_id)
                    ELSE e.trace_id END,
    auto_generated = e.auto_generated OR c.id IS NOT NULL
FROM w JOIN omni_outbox o ON o.id = w.outbox_id LEFT JOIN omni_events c ON c.id = o.caused_by_id
WHERE e.id = w.event_id
    AND (w.exact OR EXISTS (SELECT 1 FROM settled s WHERE s.event_id = e.id))
RETURNING e.id, w.outbox_id,
    CASE WHEN EXISTS (SELECT 1 FROM settled s WHERE s.id = w.outbox_id) THEN o.run_id END,
    e.client_ref, e.caused_by_id, e.hop, e.trace_id, e.auto_generated
"""
