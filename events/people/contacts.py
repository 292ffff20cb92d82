"""People behind events: handles are found or made, and those of one sender share a contact.

Handles that arrive together in one authenticated event belong to one person inside its provider
and its people group, also when two contacts had them; across providers nothing is joined here, and
across groups nothing at all. Known ids are kept in memory, within bounds, after the commit only.
A handle's contact is read again when an event is stored (`columns.STORED_AS`), so that a merge or a
separation of another process counts at once.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from connections.envelope import WORLD_KINDS, EventDraft, Handle
from connections.names import best, is_real
from connections.storable import storable_json
from events.people import known_by, same_person, together
from events.people.same_person import PeopleJoin
from omni.recent import Recent

Key = tuple[str, str, str, str, str]  # people group, provider, scope, kind, value
_KEY = ("people_group", "provider", "scope", "kind", "value")
_MOST = 50_000

_FIND = """
SELECT h.people_group, h.provider, h.scope, h.kind, h.value, h.id, h.contact_id, c.name,
       c.name_by_hand
FROM jsonb_to_recordset(%s::jsonb)
     AS w(people_group text, provider text, scope text, kind text, value text)
JOIN omni_handles h ON h.people_group = w.people_group AND h.provider = w.provider
                   AND h.scope = w.scope AND h.kind = w.kind AND h.value = w.value
JOIN omni_contacts c ON c.id = h.contact_id
"""
_MAKE_CONTACT = """
INSERT INTO omni_contacts (people_group, name, known_by, labels, attributes, created_at)
SELECT people_group, name, known_by, '[]', '{}', now()
FROM jsonb_to_recordset(%s::jsonb) AS w(people_group text, name text, known_by jsonb, n int)
ORDER BY n
RETURNING id
"""
_MAKE_HANDLE = """
INSERT INTO omni_handles (people_group, provider, scope, kind, value, contact_id, confidence,
                          linked_by, verified, created_at)
SELECT people_group, provider, scope, kind, value, contact_id, 1.0, 'sender', false, now()
FROM jsonb_to_recordset(%s::jsonb) AS w(people_group text, provider text, scope text, kind text,
                                        value text, contact_id bigint)
ORDER BY people_group, provider, scope, kind, value
ON CONFLICT (people_group, provider, scope, kind, value) DO NOTHING
RETURNING contact_id
"""
_SEEN_AT = """
INSERT INTO omni_handle_instances (handle_id, instance_id, name)
SELECT handle_id, instance_id, name
FROM jsonb_to_recordset(%s::jsonb) AS w(handle_id bigint, instance_id bigint, name text)
ORDER BY handle_id, instance_id
ON CONFLICT DO NOTHING
"""
_FILL_NAME = """
UPDATE omni_contacts c SET name = w.name, known_by = c.known_by || w.known_by
FROM (SELECT w.* FROM jsonb_to_recordset(%s::jsonb)
          AS w(id bigint, name text, was text, known_by jsonb)
      JOIN omni_contacts held ON held.id = w.id AND held.name = w.was AND NOT held.name_by_hand
      ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE c.id = w.id
"""

_known: Recent[Key, tuple[int, int]] = Recent(_MOST)  # key -> handle id, contact id
_seen: Recent[tuple[int, int], None] = Recent(_MOST)  # handle id, instance id
_nameless: Recent[int, str] = Recent(_MOST)  # contacts without a real name -> what they have
_settled: Recent[frozenset[int], None] = Recent(_MOST)  # contacts joined, or known to be several
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Where:
    """The account an event came to, as far as it says who people are."""

    provider: str
    instance_id: int
    people_group: str


@dataclass(frozen=True, slots=True)
class Person:
    """Everything one event (said_in) says about one person. keys: of their handles."""

    instance_id: int
    name: str
    keys: tuple[Key, ...]
    said_in: EventDraft = field(compare=False, repr=False)


def actor_of(draft: EventDraft, where: Where) -> Person | None:
    """The person who did it; a native reference alone is a handle of kind id."""
    handles = draft.actor_handles or (
        [Handle("id", draft.provider_actor_ref)] if draft.provider_actor_ref else [])
    return _person(handles, draft.sender_name, where, draft)


def counterpart_of(draft: EventDraft, where: Where, *, actor: Person | None) -> Person | None:
    """The person on the other side: named by the draft, or the actor of an inbound event."""
    handles = draft.contact_handles or (
        [Handle("id", draft.contact_ref)] if draft.contact_ref else [])
    if handles:
        return _person(handles, draft.contact_name, where, draft)
    return actor if draft.direction == "inbound" and not draft.from_me else None


def beside(draft: EventDraft, where: Where) -> list[Person]:
    """Other people an event names by more than one handle: members of a group."""
    found = (_person(handles, "", where, draft) for handles in draft.people_together)
    return [person for person in found if person is not None]


def _person(handles: list[Handle], name: str, where: Where, draft: EventDraft) -> Person | None:
    """A handle that is not the same everywhere belongs to the instance when it has no scope."""
    if not handles:
        return None
    return Person(where.instance_id, name or "", tuple(
        (where.people_group, where.provider,
         handle.scope or ("" if handle.kind in WORLD_KINDS else str(where.instance_id)),
         handle.kind, handle.value) for handle in handles if handle.value), draft)


@dataclass(slots=True)
class Resolved:
    """Ids of this batch, to be remembered after the commit.

    joins: contacts that became one, with the draft that said so.
    """

    handles: dict[Key, tuple[int, int]]
    seen: set[tuple[int, int]]
    joins: list[tuple[PeopleJoin, EventDraft]]
    settled: set[frozenset[int]]

    def of(self, person: Person | None) -> tuple[int | None, int | None]:
        """(handle id, contact id) of a person's first handle; Nones for nobody."""
        if person is None:
            return None, None
        return self.handles[person.keys[0]] if person.keys else (None, None)


def resolve(people: Iterable[Person]) -> Resolved:
    """Handles and contacts of everybody in a batch; new ones are made."""
    people = list(people)
    wanted = {key for person in people for key in person.keys}
    handles = {key: ids for key in wanted if (ids := _known.get(key)) is not None}
    unknown = wanted - handles.keys()
    if unknown:
        handles.update(_find(unknown))
        _make_missing(people, handles)
    joins, settled = _join(people, handles)
    _fill_names(people, handles)
    return Resolved(handles, _keep_sightings(people, handles), joins, settled)


def _keep_sightings(people: list[Person], handles: dict[Key, tuple[int, int]]
                    ) -> set[tuple[int, int]]:
    """Store where handles were met for the first time, and what the person was called there.

    Returns where all of them were met.
    """
    seen: set[tuple[int, int]] = set()
    new: dict[tuple[int, int], str] = {}
    for person in people:
        for key in person.keys:
            sighting = (handles[key][0], person.instance_id)
            seen.add(sighting)
            if sighting not in _seen:
                new[sighting] = new.get(sighting, "") or person.name
    if new:
        with connection.cursor() as cursor:
            cursor.execute(_SEEN_AT, [storable_json(
                [{"handle_id": handle, "instance_id": instance, "name": name}
                 for (handle, instance), name in sorted(new.items())])])
    return seen


def _join(people: list[Person], handles: dict[Key, tuple[int, int]]
          ) -> tuple[list[tuple[PeopleJoin, EventDraft]], set[frozenset[int]]]:
    """Merge the contacts of handles that arrived together: (joins, sets of contacts looked at)."""
    joins: list[tuple[PeopleJoin, EventDraft]] = []
    settled: set[frozenset[int]] = set()
    for person in people:
        keys = person.keys
        ids = frozenset(handles[key][1] for key in keys)
        if len(ids) < 2 or ids in _settled or ids in settled:
            continue
        joined = same_person.join(ids, instance_id=person.instance_id)
        joins += [(one, person.said_in) for one in joined]
        settled.add(ids)
        handles.update(_find(set(keys)))
    return joins, settled


def _make_missing(people: list[Person], handles: dict[Key, tuple[int, int]]) -> None:
    """Make the unknown handles; those that arrived together get one contact, a known one first."""
    rows, fresh = [], []
    for group in together.groups(person.keys for person in people):
        missing = [key for key in group if key not in handles]
        contact = next((handles[key][1] for key in group if key in handles), None)
        if contact is not None:
            rows += [_row(key, contact) for key in missing]
        elif missing:
            fresh.append(missing)
    made: list[int] = []
    with connection.cursor() as cursor:
        if fresh:
            cursor.execute(_MAKE_CONTACT, [storable_json(
                [{"n": number, **_facts(group, people)} for number, group in enumerate(fresh)])])
            made = sorted(row[0] for row in cursor.fetchall())
            for contact, group in zip(made, fresh, strict=True):
                rows += [_row(key, contact) for key in group]
        cursor.execute(_MAKE_HANDLE, [storable_json(rows)])
        used = {row[0] for row in cursor.fetchall()}
        orphans = [contact for contact in made if contact not in used]
        if orphans:  # another transaction made the same handles first
            cursor.execute("DELETE FROM omni_contacts WHERE id = ANY(%s)", [orphans])
    handles.update(_find({tuple(row[name] for name in _KEY) for row in rows}))


def _facts(group: list[Key], people: list[Person]) -> dict[str, Any]:
    """Columns of a new contact: its group, its name, and who called it so."""
    named = [person for person in people if not set(group).isdisjoint(person.keys)]
    name = best([person.name for person in named], handles=[key[4] for key in group])
    return {"people_group": group[0][0], "name": name, "known_by": known_by.naming(
        person.instance_id for person in named if name and person.name == name)}


def _fill_names(people: list[Person], handles: dict[Key, tuple[int, int]]) -> None:
    """Somebody first met without a real name gets it from the first event that says it.

    What stands there by then, from a person or another process, is left alone.
    """
    if not _nameless:
        return
    said: dict[int, Person] = {}
    for person in people:
        for key in person.keys[:1]:
            if handles[key][1] in _nameless and is_real(person.name):
                said.setdefault(handles[key][1], person)
    if said:
        with connection.cursor() as cursor:
            cursor.execute(_FILL_NAME, [storable_json(
                [{"id": contact, "name": person.name, "was": _nameless.get(contact, ""),
                  "known_by": known_by.naming([person.instance_id])}
                 for contact, person in sorted(said.items())])])
        with _lock:
            _nameless.drop(said)


def _row(key: Key, contact: int) -> dict:
    return {**dict(zip(_KEY, key, strict=True)), "contact_id": contact}


def _find(keys: set[Key]) -> dict[Key, tuple[int, int]]:
    text = storable_json([dict(zip(_KEY, key, strict=True)) for key in sorted(keys)])
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [text])
        rows = cursor.fetchall()
    with _lock:
        _nameless.keep_all((row[6], row[7]) for row in rows
                           if not row[8] and not is_real(row[7]))
    return {tuple(row[:5]): (row[5], row[6]) for row in rows}


def remember(resolved: Resolved) -> None:
    """Keep resolved ids in memory; call after the commit."""
    with _lock:
        _known.keep_all(resolved.handles.items())
        _seen.keep_all((pair, None) for pair in resolved.seen)
        _settled.keep_all((ids, None) for ids in resolved.settled)
        for _, contact in resolved.handles.values():  # remembered as long as their handles
            if (name := _nameless.get(contact)) is not None:
                _nameless.keep(contact, name)


def forget() -> None:
    """Drop what memory knows, when a row it names is gone or was merged."""
    with _lock:
        _known.clear()
        _seen.clear()
        _nameless.clear()
        _settled.clear()

