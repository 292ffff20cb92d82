"""What messages look like now: folded from their events, in whatever order those arrived.

The fold reads every event about a message and writes one row, so that it can be run again at any
time (`rebuild`) and two workers at once come to the same end.
"""

from collections import Counter
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from connections.envelope import MESSAGE_KINDS
from events.models import Event, MessageState

Key = tuple[int, str]  # instance id, provider_message_id
_RANK = {name: rank for rank, name in enumerate(
    ("accepted", "queued", "sent", "delivered", "read", "played"))}
_FAILED = ("failed", "canceled")
_READ = ("event_type", "text", "occurred_at", "delivery_status", "error_code", "content",
         "provider_actor_ref", "provider_message_id", "target_message_id", "direction", "from_me")


def of(instance_id: int, message_id: str) -> MessageState | None:
    return MessageState.objects.filter(instance_id=instance_id,
                                       provider_message_id=message_id).first()


def apply(events: Iterable[Event]) -> None:
    """Bring the messages these events are about up to date.

    A message nothing is known about yet is one insert for the whole batch; only messages that
    something else was said about are folded.
    """
    events = list(events)
    about = Counter((event.instance_id, message_id) for event in events
                    for message_id in {event.provider_message_id, event.target_message_id}
                    if message_id and _concerns(event, message_id))
    new = [event.pk for event in events
           if event.provider_message_id and event.event_type in MESSAGE_KINDS]
    made: set[Key] = set()
    if new:
        with connection.cursor() as cursor:
            cursor.execute(_INTRODUCE, [new])
            made = set(cursor.fetchall())
    keys = {key for key, times in about.items() if times > 1 or key not in made}
    for instance_id in sorted({key[0] for key in keys}):
        rebuild(instance_id, [message for owner, message in keys if owner == instance_id])


_INTRODUCE = """
INSERT INTO omni_message_state (instance_id, provider_message_id, introduced_by_id, text,
    edit_count, pinned, delivery_status, error_code, reactions, tally, last_event_id, updated_at)
SELECT DISTINCT ON (instance_id, provider_message_id) instance_id, provider_message_id, id, text,
    0, false, delivery_status, NULL, '{}', '{}', id, clock_timestamp()
FROM omni_events WHERE id = ANY(%s) ORDER BY instance_id, provider_message_id, id
ON CONFLICT (instance_id, provider_message_id) DO NOTHING
RETURNING instance_id, provider_message_id
"""


def _concerns(event: Event, message_id: str) -> bool:
    """A reply is about its own message only; an effect is about its target, whatever id of its
    own it has.
    """
    if message_id == event.provider_message_id and event.event_type.startswith("message."):
        return event.target_message_id in (None, message_id) or not _is_effect(event.event_type)
    return message_id == event.target_message_id and event.relation not in (
        "", "replies_to", "derived_from")


def rebuild(instance_id: int, message_ids: Iterable[str]) -> None:
    """Fold the listed messages again from their events."""
    wanted = sorted(set(message_ids))
    if not wanted:
        return
    with transaction.atomic():
        MessageState.objects.bulk_create(
            [MessageState(instance_id=instance_id, provider_message_id=message_id)
             for message_id in wanted], ignore_conflicts=True)
        rows = {row.provider_message_id: row for row in MessageState.objects.select_for_update()
                .filter(instance_id=instance_id, provider_message_id__in=wanted)
                .order_by("provider_message_id")}
        about: dict[str, list[Event]] = {message_id: [] for message_id in wanted}
        events = Event.objects.filter(
            Q(provider_message_id__in=wanted) | Q(target_message_id__in=wanted),
            instance_id=instance_id).order_by("occurred_at", "id").only("id", "relation",
                                                                         "instance_id", *_READ)
        for event in events:
            for message_id in {event.provider_message_id, event.target_message_id}:
                if message_id in about and _concerns(event, message_id):
                    about[message_id].append(event)
        for message_id, row in rows.items():
            _fold(row, about[message_id])
            row.save(update_fields=_WRITTEN)


_WRITTEN = ("introduced_by", "text", "edit_count", "edited_at", "deleted_at", "pinned",
            "delivery_status", "error_code", "reactions", "tally", "last_event", "updated_at")


def _fold(row: MessageState, events: list[Event]) -> None:
    row.introduced_by = row.text = row.edited_at = row.deleted_at = row.delivery_status = None
    row.error_code, row.edit_count, row.pinned, row.reactions, row.tally = None, 0, False, {}, {}
    row.updated_at = timezone.now()
    shows_edit = False
    for event in events:
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
    row.last_event_id = events[-1].pk if events else None


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
