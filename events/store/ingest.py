"""Stores deliveries and their drafts: each event once, with its archive row, in one transaction.

`persist` takes a batch, because one commit for many deliveries is what makes the front door fast;
every table is written with one statement per batch. A plain batch, which says only what is new of
places and people that are known, is one statement altogether. Nothing here looks at what a
provider is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from django.db import IntegrityError, connection, transaction
from psycopg.pq import TransactionStatus

from connections.envelope import EventDraft
from connections.payload import sanitize_text
from connections.storable import storable_json
from events.people import contacts, conversations, people_groups
from events.people.found import Found
from events.store import columns, event_rows, raw_rows
from events.store.event_rows import stored_from
from events.store.units import Row, Stored, Unit
from omni import failpoints, statements


def persist(units: Sequence[Unit]) -> list[Stored]:
    """Store a batch in one transaction; the result has one entry per unit, in order.

    Ids are the order of the units and of the drafts in them. Same key, same content: a duplicate,
    counted on its archive row. Same key, other content: a revision event of its own key. Raises
    django.db errors; nothing is stored then.
    """
    for unit in units:
        for draft in unit.drafts:
            columns.fit(draft)
    rows = [Row(index, draft, _key(draft), draft.fingerprint())
            for index, unit in enumerate(units) for draft in unit.drafts]
    groups = people_groups.of({unit.instance_id for unit in units})
    with transaction.atomic():
        places, known = _fill(units, rows, groups)
        stored = None if _is_untouched() and _is_plain(units, rows) else _store(
            units, rows, places, known)
    if stored is None and (stored := _at_once(units, rows)) is not None:
        _remember(places, known)
    if stored is None:
        with transaction.atomic():
            stored = _store(units, rows, places, known)
    failpoints.hit("ingest.committed")
    return stored


def _fill(units: Sequence[Unit], rows: list[Row],
          groups: dict[int, str]) -> tuple[Found, contacts.Resolved]:
    """Find or make where each event happened and who took part, and fill in its columns."""
    wheres = [contacts.Where(unit.provider, unit.instance_id, groups[unit.instance_id])
              for unit in units]
    places = conversations.resolve([(units[row.unit].instance_id, row.draft) for row in rows])
    people = [(actor := contacts.actor_of(row.draft, wheres[row.unit]),
               contacts.counterpart_of(row.draft, wheres[row.unit], actor=actor)) for row in rows]
    known = contacts.resolve(
        [person for actor, counterpart in people
         for person in ((actor,) if counterpart is actor else (actor, counterpart)) if person]
        + [person for row in rows if row.draft.people_together
           for person in contacts.beside(row.draft, wheres[row.unit])])
    for row, (actor, counterpart) in zip(rows, people, strict=True):
        unit = units[row.unit]
        contact_via, contact_id = known.of(counterpart)
        row.data = columns.of(
            row.draft, unit=unit, key=row.key, fingerprint=row.fingerprint,
            conversation_id=places.of(unit.instance_id, row.draft),
            actor_id=known.of(actor)[0], contact_id=contact_id, contact_via=contact_via)
    conversations.fill_contacts([(row.data["instance_id"], row.draft, row.data["contact_id"])
                                 for row in rows], places)
    return places, known


def _is_untouched() -> bool:
    """Whether the transaction has asked the database nothing yet: it begins with what it asks."""
    raw = connection.connection
    return raw is None or raw.info.transaction_status == TransactionStatus.IDLE


def _at_once(units: Sequence[Unit], rows: list[Row]) -> list[Stored] | None:
    """Store a batch as one statement; None, and nothing is stored, when a key of it is known."""
    failpoints.hit("ingest.precommit")
    try:
        return _store_at_once(units, rows)
    except IntegrityError:  # another process stored one of its keys at the same moment
        return None


# A known key ends it before anything is inserted; one that another process inserts at the same
# moment is an error of its unique constraint, and nothing is stored either. How ids are drawn and
# rows ordered: `events.store.event_rows`.
_PLAIN = f"""
WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS d({columns.TYPED}, n int, raw int)),
known AS MATERIALIZED (
    SELECT FROM wanted w CROSS JOIN LATERAL (
        SELECT FROM omni_events e WHERE e.instance_id = w.instance_id
        AND e.dedup_key = w.dedup_key OFFSET 0) e LIMIT 1),
raws AS MATERIALIZED (
    SELECT nextval('omni_raw_payloads_id_seq') AS id, a.*
    FROM (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r({raw_rows.TYPED}) ORDER BY n) a
    WHERE NOT EXISTS (SELECT FROM known)),
drawn AS MATERIALIZED (
    SELECT nextval('omni_events_id_seq') AS id, a.*
    FROM (SELECT {", ".join("r.id AS raw_id" if name == "raw_id" else f"w.{name}"
                            for name in (*columns.NAMES, "contact_via"))}, w.n
          FROM wanted w LEFT JOIN raws r ON r.n = w.raw
          WHERE NOT EXISTS (SELECT FROM known) ORDER BY w.n) a),
{stored_from("drawn")},
archived AS ({raw_rows.INSERT.format(rows="raws r")}),
attached AS (
    {columns.INSERT_ATTACHMENTS.format(event_id="drawn.id")}
    FROM jsonb_to_recordset(%s::jsonb) AS a(n int, {columns.ATTACHMENT_TYPED})
    JOIN drawn ON drawn.n = a.n)
SELECT (SELECT array_agg(id ORDER BY n) FROM drawn), (SELECT array_agg(id ORDER BY n) FROM raws)
"""


def _is_plain(units: Sequence[Unit], rows: list[Row]) -> bool:
    """Whether each delivery brings events, and no two of them the same."""
    bringing = {row.unit for row in rows}
    keys = {(units[row.unit].instance_id, row.key) for row in rows}
    return len(bringing) == len(units) > 0 and len(keys) == len(rows)


def _store_at_once(units: Sequence[Unit], rows: list[Row]) -> list[Stored] | None:
    """Store a plain batch as one statement, which commits by itself; None when a key of it is
    known, and nothing is stored then.

    Raises IntegrityError when one becomes known meanwhile, and other errors of django.db.
    """
    events = [0] * len(units)
    for row in rows:
        events[row.unit] += 1
    archived, lines = {}, []
    for index, unit in enumerate(units):
        if unit.raw is not None:
            archived[index] = len(lines) + 1
            lines.append({**raw_rows.of(unit.raw, times=1, n=archived[index]),
                          "event_count": events[index]})
    for number, row in enumerate(rows):
        row.data["n"], row.data["raw"] = number, archived.get(row.unit)
    files = [{**columns.of_attachment(attachment, event_id=None, position=position), "n": number}
             for number, row in enumerate(rows)
             for position, attachment in enumerate(row.draft.attachments)]
    [(event_ids, raw_ids)] = statements.execute(_PLAIN, [
        storable_json([row.data for row in rows]), storable_json(lines),
        [unit.raw.body for unit in units if unit.raw is not None], storable_json(files)])
    if event_ids is None:
        return None
    stored = [Stored() for _ in units]
    for row, event_id in zip(rows, event_ids, strict=True):
        row.event_id = event_id
        stored[row.unit].event_ids.append(event_id)
    for index, raw_id in zip(archived, raw_ids or (), strict=True):
        units[index].raw.id = stored[index].raw_id = raw_id
    return stored


def _store(units: Sequence[Unit], rows: list[Row], places: Found,
           known: contacts.Resolved) -> list[Stored]:
    """Store a batch inside of a transaction, whatever is known of it."""
    raw_rows.number(units)
    for row in rows:
        raw = units[row.unit].raw
        row.data["raw_id"] = raw.id if raw else None
    stored = [Stored(raw_id=unit.raw.id if unit.raw else None) for unit in units]
    event_rows.insert(rows)
    losers = [row for row in rows if row.event_id is None]
    if losers:
        revisions = event_rows.settle(losers, stored)
        event_rows.insert_revisions(revisions)
        for row in revisions:
            if row.event_id is None:  # this revision is known as well
                stored[row.unit].known_ids.append(row.data["context"]["revision_of"])
    for row in rows:
        if row.event_id is not None:
            stored[row.unit].event_ids.append(row.event_id)
    event_rows.insert_attachments(rows)
    raw_rows.store(units, stored)
    _tell_joins(units, rows, places, known)
    failpoints.hit("ingest.precommit")
    transaction.on_commit(lambda: _remember(places, known))
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


def _tell_joins(units: Sequence[Unit], rows: list[Row], places: Found,
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


def inserting(unit: Unit, *, conversation_id: int) -> tuple[str, str]:
    """(parts of a WITH, their parameter) that insert the one event of a unit; `stored` has its id,
    and no row where the key is known.

    For an event that names nobody and no other place than this conversation.
    """
    [draft] = unit.drafts
    columns.fit(draft)
    data = columns.of(draft, unit=unit, key=_key(draft), fingerprint=draft.fingerprint(),
                      conversation_id=conversation_id, actor_id=None, contact_id=None)
    return event_rows.INSERTED, storable_json([{**data, "n": 0}])
