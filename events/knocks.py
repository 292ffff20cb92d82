"""Counts refused deliveries without keeping their bodies: unknown addresses, bad proofs, too large.

Counted in memory and written once a second by whoever commits next, so that a flood of wrong
requests costs no writes of its own.
"""

import threading
import time

from django.db import InterfaceError, OperationalError, connection

from connections.adapter import Delivery
from connections.payload import sanitize_text
from events.storable import storable_json

_UPSERT = """
INSERT INTO omni_knocks (hour, address, reason, count, last_at, sample_headers, detail)
SELECT date_trunc('hour', now()), k.address, k.reason, k.count, now(), k.headers, k.detail
FROM jsonb_to_recordset(%s::jsonb)
     AS k(address text, reason text, count int, headers jsonb, detail text)
ORDER BY k.address COLLATE "C", k.reason
ON CONFLICT (hour, address, reason) DO UPDATE
SET count = omni_knocks.count + excluded.count, last_at = now(), detail = excluded.detail
"""
_SAMPLE = ("user-agent", "content-type", "content-length")
_FLUSH_SECONDS = 1.0
_MOST_ADDRESSES = 1000  # kept between two writes; a scanner cannot grow memory


class Knocks:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], dict] = {}
        self._lock = threading.Lock()
        self._flushed = 0.0

    def count(self, delivery: Delivery, *, address: str, reason: str, detail: str = "") -> None:
        """Note one refused delivery. reason: unknown_address, signature_mismatch, too_large."""
        key = (sanitize_text(address[:160]), reason)
        with self._lock:
            if key not in self._counts and len(self._counts) >= _MOST_ADDRESSES:
                key = ("(many others)", reason)
            row = self._counts.setdefault(key, {
                "address": key[0], "reason": reason, "count": 0, "detail": detail[:500],
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


knocks = Knocks()
