"""The statements on `omni_events` and `omni_attachments`, one for a whole batch each, and what it
means that the key of an event is known: a duplicate, our own echo, or a revision.
"""

from typing import Any

from connections.envelope import SCHEMA_VERSION
from connections.storable import storable_json
from events.store import columns
from events.store.units import Row, Stored
from omni import statements


def stored_from(rows: str, *, on_conflict: str = "") -> str:
    """The CTE `stored`, (id, state) of the events that are inserted, for a statement to go on with.

    rows: name of a CTE with the columns of `columns.TYPED`, `id` and `n`, their order. The one
    place where events come into being.
    """
    return f"""stored AS (
    INSERT INTO omni_events (id, {", ".join(columns.NAMES)}, schema_version, created_at)
    SELECT d.id, {columns.STORED_AS}, {SCHEMA_VERSION}, clock_timestamp()
    FROM {rows} d ORDER BY d.instance_id, d.dedup_key COLLATE "C", d.n
    {on_conflict}
    RETURNING id, state)"""


ONCE = "ON CONFLICT (instance_id, dedup_key) DO NOTHING"
# Ids are drawn in the order of arrival, for every draft, so that a revision keeps its place; rows
# are inserted in the order of their keys, so that two batches never wait for each other. The
# first id of a batch is drawn when the sort below it is done: a subquery with ORDER BY is not
# pulled up, and the list of the query around it is evaluated after it.
INSERTED = f"""drawn AS MATERIALIZED (
    SELECT nextval('omni_events_id_seq') AS id, a.*
    FROM (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS d({columns.TYPED}, n int) ORDER BY n) a),
{stored_from("drawn", on_conflict=ONCE)}"""
_INSERT_EVENTS = f"""WITH {INSERTED}
SELECT drawn.id, stored.id IS NOT NULL FROM drawn LEFT JOIN stored USING (id) ORDER BY drawn.n
"""
_INSERT_REVISIONS = f"""
WITH drawn AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS d({columns.TYPED}, id bigint, n int)),
{stored_from("drawn", on_conflict=ONCE)}
SELECT id FROM stored
"""
_INSERT_ATTACHMENTS = f"""
{columns.INSERT_ATTACHMENTS.format(event_id="a.event_id")}
FROM jsonb_to_recordset(%s::jsonb) AS a(event_id bigint, {columns.ATTACHMENT_TYPED})
"""

_EXISTING = """
SELECT e.instance_id, e.dedup_key, e.id, e.fingerprint, e.source
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, dedup_key text)
JOIN omni_events e ON e.instance_id = w.instance_id AND e.dedup_key = w.dedup_key
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


def insert(rows: list[Row]) -> None:
    """Draw an id for every row and insert those whose key is new: the first of a key in the batch.
    """
    if not rows:
        return
    drawn = statements.execute(_INSERT_EVENTS, [storable_json(
        [{**row.data, "n": number} for number, row in enumerate(rows)])])
    for row, (drawn_id, is_new) in zip(rows, drawn, strict=True):
        row.drawn_id = drawn_id
        row.event_id = drawn_id if is_new else None


def settle(losers: list[Row], stored: list[Stored]) -> list[Row]:
    """Tell each row's unit which event is known, and fill what that lacks of our own.

    losers: rows whose key was there. Returns those that say something else under it, made into
    revisions that are to be inserted.
    """
    wanted = sorted({(row.data["instance_id"], row.data["dedup_key"]) for row in losers})
    existing = statements.execute(_EXISTING, [storable_json(
        [{"instance_id": instance, "dedup_key": key} for instance, key in wanted])])
    known = {(line[0], line[1]): line[2:] for line in existing}
    revisions: list[Row] = []
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
        statements.execute(_FILL_NULLS, [storable_json(list(fills.values()))])
    return revisions


def insert_revisions(rows: list[Row]) -> None:
    """Insert what is new under the ids drawn before."""
    if not rows:
        return
    new = {event_id for (event_id,) in statements.execute(_INSERT_REVISIONS, [storable_json(
        [{**row.data, "id": row.drawn_id, "n": number} for number, row in enumerate(rows)])])}
    for row in rows:
        row.event_id = row.drawn_id if row.drawn_id in new else None


def insert_attachments(rows: list[Row]) -> None:
    files = [columns.of_attachment(attachment, event_id=row.event_id, position=position)
             for row in rows if row.event_id is not None
             for position, attachment in enumerate(row.draft.attachments)]
    if files:
        statements.execute(_INSERT_ATTACHMENTS, [storable_json(files)])
