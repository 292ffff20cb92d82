"""Counts refused deliveries without keeping their bodies: unknown addresses, bad proofs, too large.

Counted in memory and written once a second by whoever commits next, so that a flood of wrong
requests costs no writes of its own. Addresses that do not exist are named up to a number per hour.
"""

import threading
import time

from django.db import InterfaceError, OperationalError, connection

from connections import library
from connections.adapter import Delivery
from connections.models import SLUG
from connections.payload import sanitize_text
from connections.storable import storable_json

MOST_NAMED = 1000  # addresses without an instance, per hour; the others are one row together
UNKNOWN = "unknown_address"
MANY, ODD = "(many others)", "(no names)"
# `placed` says under which name each is counted: that of a row we have, or of one more row.
_UPSERT = f"""
WITH given AS (
    SELECT k.*, k.reason <> '{UNKNOWN}' OR k.address IN ('{MANY}', '{ODD}')
                OR p.address IS NOT NULL AS is_placed
    FROM jsonb_to_recordset(%s::jsonb)
         AS k(address text, reason text, count int, headers jsonb, detail text)
    LEFT JOIN omni_knocks p ON p.hour = date_trunc('hour', now())
         AND p.address = k.address AND p.reason = k.reason),
named AS (SELECT count(*) AS total FROM omni_knocks WHERE hour = date_trunc('hour', now())
          AND reason = '{UNKNOWN}' AND address NOT IN ('{MANY}', '{ODD}')),
placed AS (
    SELECT CASE WHEN is_placed OR {MOST_NAMED} - total >= row_number() OVER (
                    PARTITION BY is_placed ORDER BY address)
                THEN address ELSE '{MANY}' END AS address, reason, count, headers, detail
    FROM given, named)
INSERT INTO omni_knocks (hour, address, reason, count, last_at, sample_headers, detail)
SELECT date_trunc('hour', now()), address, reason, sum(count), now(),
       (array_agg(headers))[1], max(detail)
FROM placed GROUP BY address, reason ORDER BY address COLLATE "C", reason
ON CONFLICT (hour, address, reason) DO UPDATE
SET count = omni_knocks.count + excluded.count, last_at = now(), detail = excluded.detail
"""
_SAMPLE = ("user-agent", "content-type", "content-length")
_FLUSH_SECONDS = 1.0


class Knocks:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], dict] = {}
        self._lock = threading.Lock()
        self._flushed = 0.0

    def count(self, delivery: Delivery, *, address: str, reason: str, detail: str = "") -> None:
        """Note one refused delivery. reason: unknown_address, signature_mismatch, too_large.

        address: provider/slug; what could be none is counted without its name.
        """
        key = (address if could_be_one(address) else ODD, reason)
        with self._lock:
            if key not in self._counts and len(self._counts) >= MOST_NAMED and reason == UNKNOWN:
                key = (MANY, reason)
            row = self._counts.setdefault(key, {
                "address": key[0], "reason": reason, "count": 0,
                "detail": sanitize_text(detail[:500]),
                "headers": {name: delivery.headers[name][:200] for name in _SAMPLE
                            if name in delivery.headers}})
            row["count"] += 1

    def flush(self, *, force: bool = False) -> None:
        """Write the counts on this thread's connection, at most once a second.

        Keeps them when the database is away (OperationalError, InterfaceError).
        """
        if not self._counts or (not force and time.monotonic() - self._flushed < _FLUSH_SECONDS):
            return
        with self._lock:
            rows, self._counts = list(self._counts.values()), {}
        self._flushed = time.monotonic()
        try:
            with connection.cursor() as cursor:
                cursor.execute(_UPSERT, [storable_json(rows)])
        except (OperationalError, InterfaceError):
            with self._lock:
                for row in rows:
                    kept = self._counts.setdefault((row["address"], row["reason"]),
                                                   {**row, "count": 0})
                    kept["count"] += row["count"]
            raise

    def forget(self) -> None:
        """Drop what was counted and not written."""
        with self._lock:
            self._counts, self._flushed = {}, 0.0


def could_be_one(address: str) -> bool:
    """Whether an instance could have this address: a provider of ours and a slug."""
    provider, _, slug = address.partition("/")
    return provider in library.adapters() and SLUG.fullmatch(slug) is not None


knocks = Knocks()
