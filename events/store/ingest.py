"""Stores deliveries and their drafts: each event once, with its archive row, in one transaction.

`persist` takes a batch, because one commit for many deliveries is what makes the front door fast;
every table is written with one statement per batch. Nothing here looks at what a provider is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection, transaction

from connections.envelope import SCHEMA_VERSION, EventDraft
from connections.payload import sanitize_text
from connections.storable import storable_json
from events.people import contacts, conversations, people_groups
from events.people.found import Found
from events.store import columns, raw_rows
from events.store.units import Stored, Unit
from omni import failpoints


@dataclass(slots=True)
class _Row:
    """One draft with its place in the batch. event_id: None when it brought no new event."""

    unit: int
    draft: EventDraft
    key: str
    fingerprint: str
    data: dict[str, Any] = field(default_factory=dict)
    drawn_id: int = 0
    event_id: int | None = None


def persist(units: Sequence[Unit]) -> list[Stored]:
    """Store a batch in one transaction; the result has one entry per unit, in order.

    Ids are the order of the units and of the drafts in them. Same key, same content: a duplicate,
    counted on its archive row. Same key, other content: a revision event of its own key. Raises
    django.db errors; nothing is stored then.
    """
    for unit in units:
        for draft in unit.drafts:
            columns.fit(draft)
    with transaction.atomic():
        rows = [_Row(index, draft, _key(draft), draft.fingerprint())
                for index, unit in enumerate(units) for draft in unit.drafts]
        groups = people_groups.of({unit.instance_id for unit in units})
        wheres = [contacts.Where(unit.provider, unit.instance_id, groups[unit.instance_id])
                  for unit in units]
        places = conversations.resolve([(units[row.unit].instance_id, row.draft) for row in rows])
        people = [(contacts.actor_of(row.draft, wheres[row.unit]),
                   contacts.counterpart_of(row.draft, wheres[row.unit])) for row in rows]
        known = contacts.resolve(
            [person for pair in people for person in pair if person]
            + [person for row in rows if row.draft.people_together
               for person in contacts.beside(row.draft, wheres[row.unit])])
        raw_rows.number(units)
        for row, (actor, counterpart) in zip(rows, people, strict=True):
            unit = units[row.unit]
            row.data = columns.of(
                row.draft, unit=unit, key=row.key, fingerprint=row.fingerprint,
                conversation_id=places.of(unit.instance_id, row.draft),
                actor_id=known.of(actor)[0], contact_id=known.of(counterpart)[1],
                contact_via=known.of(counterpart)[0])
        conversations.fill_contacts([(row.data["instance_id"], row.draft, row.data["contact_id"])
                                     for row in rows], places)
        stored = [Stored(raw_id=unit.raw.id if unit.raw else None) for unit in units]
        _store_events(units, rows, stored)
        raw_rows.store(units, stored)
        _tell_joins(units, rows, places, known)
        failpoints.hit("ingest.precommit")
        transaction.on_commit(lambda: _remember(places, known))
    failpoints.hit("ingest.committed")
    return stored


def _remember(places: Found, known: contacts.Resolved) -> None:
    conversations.remember(places)
    contacts.remember(known)


def _key(draft: EventDraft) -> str:
    """The dedup key as the column holds it: long ones by digest, never empty.

    The one place that knows how an event is told from another (docs/event-model.md).
    """
    key = draft.dedup_key
    if len(key) > 255 or len(key.encode("utf-8", "replace")) > 1000:
        return "sha256:" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    return sanitize_text(key) or "empty:" + draft.fingerprint()


def _tell_joins(units: Sequence[Unit], rows: list[_Row], places: Found,
                known: contacts.Resolved) -> None:
    """Store that conversations or contacts became one, and which event said so."""
    if not places.joins and not known.joins:
        return
    rows_by_draft = {id(row.draft): row for row in rows}
    told = []
    for joined, draft in (*places.joins, *known.joins):
        row = rows_by_draft[id(draft)]
        unit = units[row.unit]
        joined.note()  # here, because the lock of the audit log comes after those of the joins
        told.append(replace(unit, raw=None, caused_by_id=row.event_id, hop=unit.hop + 1, drafts=[
            joined.event({"event": row.event_id, "event_type": draft.event_type,
                          "dedup_key": row.key})]))
    persist(told)


# Ids are drawn in the order of arrival, for every draft, so that a revision keeps its place; rows
# are inserted in the order of their keys, so that two batches never wait for each other. The
# first id of a batch is drawn when the sort below it is done: a subquery with ORDER BY is not
# pulled up, and the list of the query around it is evaluated after it.
_INSERTED = f"""drawn AS MATERIALIZED (
    SELECT nextval('omni_events_id_seq') AS id, a.*
    FROM (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS d({columns.TYPED}, n int) ORDER BY n) a),
stored AS (
    INSERT INTO omni_events (id, {", ".join(columns.NAMES)}, schema_version, created_at)
    SELECT d.id, {{values}}, {SCHEMA_VERSION}, clock_timestamp()
    FROM drawn d ORDER BY d.instance_id, d.dedup_key COLLATE "C", d.n
    ON CONFLICT (instance_id, dedup_key) DO NOTHING
    RETURNING id)"""
_INSERT_EVENTS = f"""WITH {_INSERTED}
SELECT drawn.id, stored.id IS NOT NULL FROM drawn LEFT JOIN stored USING (id) ORDER BY drawn.n
"""
_INSERT_REVISIONS = f"""
INSERT INTO omni_events (id, {", ".join(columns.NAMES)}, schema_version, created_at)
SELECT d.id, {{values}}, {SCHEMA_VERSION}, clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS d({columns.TYPED}, id bigint)
ORDER BY d.instance_id, d.dedup_key COLLATE "C", d.id
ON CONFLICT (instance_id, dedup_key) DO NOTHING
RETURNING id
"""
_EXISTING = """
SELECT e.instance_id, e.dedup_key, e.id, e.fingerprint, e.source
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, dedup_key text)
JOIN omni_events e ON e.instance_id = w.instance_id AND e.dedup_key = w.dedup_key
"""
_INSERT_ATTACHMENTS = f"""
INSERT INTO omni_attachments (event_id, position, {", ".join(columns.ATTACHMENT_NAMES)},
                              state, storage_key, error)
SELECT event_id, position, {", ".join(columns.ATTACHMENT_NAMES)}, 'pending', '', ''
FROM jsonb_to_recordset(%s::jsonb)
     AS a(event_id bigint, position int, {columns.ATTACHMENT_TYPED})
"""
_FILL_NULLS = """
UPDATE omni_events e SET
    caused_by_id = coalesce(e.caused_by_id, w.caused_by_id),
    client_ref = coalesce(e.client_ref, w.client_ref),
    hop = greatest(e.hop, w.hop),
    trace_id = CASE WHEN e.caused_by_id IS NULL AND w.caused_by_id IS NOT NULL
                    THEN w.trace_id ELSE e.trace_id END,
    auto_generated = e.auto_generated OR w.auto_generated,
    raw_id = coalesce(e.raw_id, w.raw_id),
    actor_id = coalesce(e.actor_id, w.actor_id),
    contact_id = coalesce(e.contact_id, w.contact_id)
FROM (SELECT w.* FROM jsonb_to_recordset(%s::jsonb)
          AS w(id bigint, caused_by_id bigint, client_ref text, raw_id bigint, actor_id bigint,
               contact_id bigint, hop int, trace_id uuid, auto_generated bool)
      JOIN omni_events held ON held.id = w.id ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE e.id = w.id
"""
_FILLED = ("caused_by_id", "client_ref", "raw_id", "actor_id", "contact_id", "hop", "trace_id",
           "auto_generated")


def _store_events(units: Sequence[Unit], rows: list[_Row], stored: list[Stored]) -> None:
    _insert(rows)
    losers = [row for row in rows if row.event_id is None]
    if losers:
        _settle(units, losers, stored)
    for row in rows:
        if row.event_id is not None:
            stored[row.unit].event_ids.append(row.event_id)
    _store_attachments(rows)


def _insert(rows: list[_Row]) -> None:
    """Draw an id for every row and insert those whose key is new: the first of a key in the batch.
    """
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_EVENTS.format(values=_values(rows)), [storable_json(
            [{**row.data, "n": number} for number, row in enumerate(rows)])])
        for row, (drawn_id, is_new) in zip(rows, cursor.fetchall(), strict=True):
            row.drawn_id = drawn_id
            row.event_id = drawn_id if is_new else None


def inserting(unit: Unit, *, conversation_id: int) -> tuple[str, str]:
    """(parts of a WITH, their parameter) that insert the one event of a unit; `stored` has its id,
    and no row where the key is known.

    For an event that names nobody and no other place than this conversation.
    """
    [draft] = unit.drafts
    columns.fit(draft)
    data = columns.of(draft, unit=unit, key=_key(draft), fingerprint=draft.fingerprint(),
                      conversation_id=conversation_id, actor_id=None, contact_id=None)
    return (_INSERTED.format(values=columns.stored_for([data])),
            storable_json([{**data, "n": 0}]))


def _values(rows: list[_Row]) -> str:
    return columns.stored_for(row.data for row in rows)


def _insert_revisions(rows: list[_Row]) -> None:
    """Insert what is new under the ids drawn before."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_REVISIONS.format(values=_values(rows)), [storable_json(
            [{**row.data, "id": row.drawn_id} for row in rows])])
        new = {event_id for (event_id,) in cursor.fetchall()}
    for row in rows:
        row.event_id = row.drawn_id if row.drawn_id in new else None


def _settle(units: Sequence[Unit], losers: list[_Row], stored: list[Stored]) -> None:
    """Say what a known key means: a duplicate, our own echo, or a revision."""
    wanted = sorted({(row.data["instance_id"], row.data["dedup_key"]) for row in losers})
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING, [storable_json(
            [{"instance_id": instance, "dedup_key": key} for instance, key in wanted])])
        known = {(line[0], line[1]): line[2:] for line in cursor.fetchall()}
    revisions: list[_Row] = []
    fills: dict[int, dict[str, Any]] = {}  # of copies of an echo the first, which is archived
    for row in losers:
        event_id, fingerprint, source = known[(row.data["instance_id"], row.data["dedup_key"])]
        own = "api" in (source, row.draft.source)
        if own:
            fills.setdefault(event_id, {"id": event_id, **{
                name: row.data[name] for name in _FILLED}})
        if own or fingerprint == row.fingerprint:
            stored[row.unit].known_ids.append(event_id)
            continue
        row.data["dedup_key"] = f"{row.data['dedup_key'][:238]}~{row.fingerprint}"
        row.data["context"] = {**row.data["context"], "revision_of": event_id}
        revisions.append(row)
    if fills:
        with connection.cursor() as cursor:
            cursor.execute(_FILL_NULLS, [storable_json(list(fills.values()))])
    _insert_revisions(revisions)
    again = [row for row in revisions if row.event_id is None]
    for row in again:  # this revision is known as well
        stored[row.unit].known_ids.append(row.data["context"]["revision_of"])


def _store_attachments(rows: list[_Row]) -> None:
    files = [columns.of_attachment(attachment, event_id=row.event_id, position=position)
             for row in rows if row.event_id is not None
             for position, attachment in enumerate(row.draft.attachments)]
    if files:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_ATTACHMENTS, [storable_json(files)])
