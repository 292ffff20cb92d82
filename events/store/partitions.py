"""Monthly partitions of the raw archive: made ahead of time, dropped as a whole when they expire.

A default partition catches what no month covers, so that an insert never fails for want of one.
"""

from datetime import UTC, datetime

from django.db import connection

TABLE = "omni_raw_payloads"
CREATE_TABLE = f"""
CREATE SEQUENCE {TABLE}_id_seq;
CREATE TABLE {TABLE} (
    id bigint NOT NULL DEFAULT nextval('{TABLE}_id_seq'),
    received_at timestamptz NOT NULL,
    instance_id bigint NOT NULL,
    provider varchar(32) NOT NULL,
    method varchar(8) NOT NULL DEFAULT 'POST',
    path text NOT NULL DEFAULT '',
    query text NOT NULL DEFAULT '',
    headers jsonb NOT NULL DEFAULT '{{}}',
    content_type text NOT NULL DEFAULT '',
    body bytea NOT NULL,
    size_bytes integer NOT NULL,
    sha256 varchar(64) NOT NULL,
    redacted boolean NOT NULL DEFAULT false,
    flags jsonb NOT NULL DEFAULT '[]',
    transport varchar(16) NOT NULL DEFAULT 'http',
    verified_by text NOT NULL DEFAULT '',
    deliveries integer NOT NULL DEFAULT 1,
    last_seen_at timestamptz NOT NULL,
    event_count integer NOT NULL DEFAULT 0,
    quarantine_reason varchar(64) NOT NULL DEFAULT '',
    quarantine_detail text NOT NULL DEFAULT '',
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE {TABLE}_id_seq OWNED BY {TABLE}.id;
CREATE INDEX raw_body_seen ON {TABLE} (sha256, instance_id);
CREATE INDEX raw_dead_letter ON {TABLE} (id) WHERE quarantine_reason <> '';
CREATE TABLE {TABLE}_default PARTITION OF {TABLE} DEFAULT;
"""
DROP_TABLE = f"DROP TABLE {TABLE}"


def ensure(*, months: int = 3, now: datetime | None = None) -> list[str]:
    """Make the partitions of this month and the next ones; returns the names that were missing.

    A month whose rows already fell into the default partition is left to it.
    """
    moment = now or datetime.now(UTC)
    year, month = moment.year, moment.month
    made = []
    with connection.cursor() as cursor:
        for _ in range(months):
            following = (year + month // 12, month % 12 + 1)
            name = f"{TABLE}_{year:04d}_{month:02d}"
            start, end = f"{year:04d}-{month:02d}-01", f"{following[0]:04d}-{following[1]:02d}-01"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None and not _in_default(cursor, start, end):
                cursor.execute(f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES "
                               f"FROM ('{start} 00:00:00+00') TO ('{end} 00:00:00+00')")
                made.append(name)
            year, month = following
    return made


def _in_default(cursor, start: str, end: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {TABLE}_default WHERE received_at >= "
                   f"'{start} 00:00:00+00' AND received_at < '{end} 00:00:00+00')")
    return cursor.fetchone()[0]
