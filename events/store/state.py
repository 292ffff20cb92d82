"""What messages look like now: folded from their events, in whatever order those arrived.

The fold reads every event about a message and writes one row, so that it can be run again at any
time (`rebuild`). Whoever folds a message holds it (`lock`), so the newest look is what is written.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from connections.envelope import MESSAGE_KINDS
from connections.storable import storable_json
from events.models import Event, MessageState
from events.store import forgery

LOCK_CLASS = 7_311_944
Key = tuple[int, str]  # instance id, provider_message_id
_RANK = {name: rank for rank, name in enumerate(
    ("accepted", "queued", "sent", "delivered", "read", "played"))}
_FAILED = ("failed", "canceled")


def of(instance_id: int, message_id: str) -> MessageState | None:
    return MessageState.objects.filter(instance_id=instance_id,
                                       provider_message_id=message_id).first()


def messages_of(events: Iterable[Event]) -> set[Key]:
    """Every message these events introduce or name."""
    return {(event.instance_id, message_id) for event in events
            for message_id in (event.provider_message_id, event.target_message_id) if message_id}


_LOCK = """
SELECT pg_advisory_xact_lock(%s, key) FROM (
    SELECT DISTINCT hashtext(name) AS key FROM unnest(%s::text[]) AS name ORDER BY key) k
"""


def lock(messages: Iterable[Key]) -> None:
    """Hold these messages until the transaction ends: nobody else folds or links them meanwhile.

    Take all of them at once, as the last locks of a transaction: in one order, so that nobody
    waits in a circle.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [LOCK_CLASS, [f"{instance_id}:{message_id}"
                                            for instance_id, message_id in messages]])


def apply(events: Iterable[Event]) -> dict[int, str]:
    """Bring the messages these events are about up to date; they are held until the commit.

    A message nothing is known about yet is one insert for the whole batch; only messages that
    something else was said about are folded. Returns the events that could not be folded, with
    the reason: {id: reason}.
    """
    events = list(events)
    messages = messages_of(events)
    if not messages:
        return {}
    about = Counter((event.instance_id, message_id) for event in events
                    for message_id in {event.provider_message_id, event.target_message_id}
                    if message_id and _concerns(event, message_id))
    new = [event.pk for event in events if _brings_message(event)]
    made: set[Key] = set()
    with transaction.atomic(savepoint=False):
        lock(messages)
        if new:
            with connection.cursor() as cursor:
                cursor.execute(_INTRODUCE_THESE, [new])
                made = {(row[0], row[1]) for row in cursor.fetchall()}
        return _refold(key for key, times in about.items() if times > 1 or key not in made)


# The first state of messages that events bring. {ids}: of the events, an expression.
INTRODUCE = """
INSERT INTO omni_message_state (instance_id, provider_message_id, introduced_by_id, text,
    edit_count, pinned, delivery_status, error_code, reactions, tally, last_event_id, updated_at)
SELECT DISTINCT ON (instance_id, provider_message_id) instance_id, provider_message_id, id, text,
    0, false, delivery_status, NULL, '{{}}', '{{}}', id, clock_timestamp()
FROM omni_events WHERE id = ANY({ids}) ORDER BY instance_id, provider_message_id, id
ON CONFLICT (instance_id, provider_message_id) DO NOTHING
RETURNING instance_id, provider_message_id, introduced_by_id
"""
_INTRODUCE_THESE = INTRODUCE.format(ids="%s::bigint[]")


def first_words(events: Sequence[Event]) -> list[Event]:
    """Those that bring a message no other of them says anything about, and say nothing about any
    other themselves: the ordinary case, in which its state is one insert.
    """
    named = Counter((event.instance_id, message_id) for event in events
                    for message_id in {event.provider_message_id, event.target_message_id})
    return [event for event in events if _brings_message(event) and not event.target_message_id
            and named[event.instance_id, event.provider_message_id] == 1]


def _brings_message(event: Event) -> bool:
    return bool(event.provider_message_id) and event.event_type in MESSAGE_KINDS


def _concerns(event: Event, message_id: str) -> bool:
    """A reply is about its own message only; an effect is about its target, whatever id of its
    own it has.
    """
    if message_id == event.provider_message_id and event.event_type.startswith("message."):
        return event.target_message_id in (None, message_id) or not _is_effect(event.event_type)
    return message_id == event.target_message_id and event.relation not in (
        "", "replies_to", "derived_from")


def rebuild(instance_id: int, message_ids: Iterable[str]) -> dict[int, str]:
    """Fold the listed messages again from their events: as `apply`."""
    messages = {(instance_id, message_id) for message_id in message_ids}
    with transaction.atomic(savepoint=False):
        lock(messages)
        return _refold(messages)


_ABOUT = """
WITH w AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS w(instance_id, message_id))
SELECT e.id, e.instance_id, e.event_type, e.relation, e.text, e.occurred_at, e.delivery_status,
    e.error_code, e.content, e.provider_actor_ref, e.provider_message_id, e.target_message_id,
    e.from_me, coalesce(c.merged_into_id, c.id) AS in_place, h.contact_id AS by_person,
    (SELECT array_agg(o.kind) FROM omni_handles o WHERE o.contact_id = h.contact_id
        AND o.provider = h.provider AND o.scope IN ('', h.scope)) AS by_addresses
FROM omni_events e LEFT JOIN omni_conversations c ON c.id = e.conversation_id
LEFT JOIN omni_handles h ON h.id = e.actor_id AND e.relation <> 'status_of'
WHERE e.id IN (
    SELECT e.id FROM w JOIN omni_events e
        ON e.instance_id = w.instance_id AND e.provider_message_id = w.message_id
    UNION
    SELECT e.id FROM w JOIN omni_events e
        ON e.instance_id = w.instance_id AND e.target_message_id = w.message_id)
ORDER BY e.occurred_at, e.id
"""
_TYPES = {
    "instance_id": "bigint", "provider_message_id": "text", "introduced_by_id": "bigint",
    "text": "text", "edit_count": "int", "edited_at": "timestamptz", "deleted_at": "timestamptz",
    "pinned": "bool", "delivery_status": "text", "error_code": "text", "reactions": "jsonb",
    "tally": "jsonb", "last_event_id": "bigint"}
_WRITE = f"""
INSERT INTO omni_message_state ({", ".join(_TYPES)}, updated_at)
SELECT {", ".join(_TYPES)}, clock_timestamp() FROM jsonb_to_recordset(%s::jsonb)
    AS s({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
ORDER BY instance_id, provider_message_id COLLATE "C"
ON CONFLICT (instance_id, provider_message_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in list(_TYPES)[2:])},
    updated_at = excluded.updated_at
"""


def _refold(messages: Iterable[Key]) -> dict[int, str]:
    """Look at every event about these messages and write their rows; the caller holds them."""
    about: dict[Key, list[Event]] = {key: [] for key in sorted(messages)}
    if not about:
        return {}
    for event in Event.objects.raw(_ABOUT, [[key[0] for key in about], [key[1] for key in about]]):
        for message_id in {event.provider_message_id, event.target_message_id}:
            events = about.get((event.instance_id, message_id))
            if events is not None and _concerns(event, message_id):
                events.append(event)
    left_out: dict[int, str] = {}
    lines = []
    for (instance_id, message_id), events in about.items():
        events = forgery.without(events, message_id)
        row = MessageState(instance_id=instance_id, provider_message_id=message_id)
        left_out.update(_fold(row, events))
        lines.append({name: getattr(row, name) for name in _TYPES})
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [storable_json(lines)])
    return left_out


def _fold(row: MessageState, events: Sequence[Event]) -> dict[int, str]:
    """Make the row what its events say. An event that cannot be folded is left out, with the
    reason, and what the others say stands.
    """
    left_out: dict[int, str] = {}
    while (bad := _fold_all(row, [event for event in events if event.pk not in left_out])):
        left_out.update(bad)
    return left_out


def _fold_all(row: MessageState, events: Sequence[Event]) -> dict[int, str]:
    """Fold from the start; stops at an event that cannot be folded."""
    row.introduced_by = row.text = row.edited_at = row.deleted_at = row.delivery_status = None
    row.error_code, row.edit_count, row.pinned, row.reactions, row.tally = None, 0, False, {}, {}
    shows_edit = False
    for event in events:
        try:
            shows_edit = _add(row, event, shows_edit=shows_edit)
        except Exception as exc:  # around a task: one event must not keep the others out
            return {event.pk: f"{type(exc).__name__}: {exc}"}
    row.last_event_id = events[-1].pk if events else None
    return {}


def _add(row: MessageState, event: Event, *, shows_edit: bool) -> bool:
    """Add what one event says; whether the text is that of an edit by now."""
    kind = event.event_type
    if event.provider_message_id == row.provider_message_id and not _is_effect(kind):
        row.introduced_by_id = row.introduced_by_id or event.pk
        if not shows_edit:
            row.text = event.text
        _status(row, event)
    elif kind == "message.edited":
        if not (event.content or {}).get("text_hidden"):
            row.text, shows_edit = event.text, True
        row.edited_at = event.occurred_at
        row.edit_count += 1
    elif kind == "message.deleted":
        row.deleted_at = row.deleted_at or event.occurred_at
    elif kind in ("message.pinned", "message.unpinned"):
        row.pinned = kind == "message.pinned"
    elif kind in ("message.reaction", "message.reaction_removed"):
        _react(row.reactions, event)
    elif kind == "poll.vote":
        _vote(row.tally, event)
    elif kind.startswith("message.status."):
        _status(row, event)
    return shows_edit


def _is_effect(kind: str) -> bool:
    return kind.startswith("message.status.") or kind in (
        "message.edited", "message.deleted", "message.reaction", "message.reaction_removed",
        "message.pinned", "message.unpinned", "message.updated")


def _status(row: MessageState, event: Event) -> None:
    """Never goes down; a failure stands until a later delivery says otherwise."""
    status = event.delivery_status
    if not status:
        return
    if status in _FAILED:
        if _RANK.get(row.delivery_status or "", 0) < _RANK["delivered"]:
            row.delivery_status, row.error_code = status, event.error_code
        return
    if row.delivery_status in _FAILED and _RANK.get(status, 0) >= _RANK["delivered"]:
        row.delivery_status, row.error_code = status, None
    elif row.delivery_status not in _FAILED and _RANK.get(status, 0) >= _RANK.get(
            row.delivery_status or "", -1):
        row.delivery_status = status


def _actor(event: Event) -> str:
    return event.provider_actor_ref or ("me" if event.from_me else "")


def _react(reactions: dict[str, list[str]], event: Event) -> None:
    """One reaction per person: a new one takes the place of the one before."""
    actor = _actor(event)
    emoji = (event.content or {}).get("reaction") or (event.content or {}).get("emoji") or ""
    if isinstance(emoji, dict):
        emoji = emoji.get("emoji") or ""
    removed = event.event_type == "message.reaction_removed"
    for name in list(reactions):
        if actor in reactions[name] and (not removed or not emoji or name == emoji):
            reactions[name] = [other for other in reactions[name] if other != actor]
        if not reactions[name]:
            del reactions[name]
    if not removed and emoji:
        reactions.setdefault(emoji, []).append(actor)


def _vote(tally: dict[str, list[str]], event: Event) -> None:
    """content: {option_ids, action: added|removed|set|cleared}."""
    actor, content = _actor(event), event.content or {}
    options = [str(option) for option in content.get("option_ids") or []]
    action = content.get("action", "set")
    for option in list(tally):
        gone = action in ("set", "cleared") or (action == "removed" and option in options)
        if gone:
            tally[option] = [other for other in tally[option] if other != actor]
        if not tally[option]:
            del tally[option]
    if action in ("set", "added"):
        for option in options:
            voters = tally.setdefault(option, [])
            if actor not in voters:
                voters.append(actor)
