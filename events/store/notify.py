"""Wakes whoever waits for new rows: one NOTIFY per few milliseconds, sent after the commit.

Inside the ingest transaction a NOTIFY would take a database-wide lock across the fsync; a lost one
costs nothing, because every listener also looks by itself. Which runs changed is said only while a
live feed hears it.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

logger = logging.getLogger("omni.events")
EVENTS = "omni_events"  # new event rows; no payload
WORK = "omni_work"  # runs are due that no worker may have seen; no payload
RUNS = "omni_runs"  # payload: ids of runs that changed, comma separated
SIGNALS = "omni_signals"  # payload: JSON of a typing signal
HEARD = 7_311_952  # advisory lock: every live feed with a reader of runs shares it
HEARD_SECONDS = 1.0  # how long a process remembers whether somebody holds it
PAUSE_SECONDS = 0.005
RUNS_SECONDS = 0.05  # a note of runs alone waits so long for another to go with
_PAYLOAD_MAX = 7000
# Nothing is lost with a note, so its commit does not wait for the disk.
_NOTIFY = ("SELECT set_config('synchronous_commit', 'off', true), "
           "(SELECT count(pg_notify(note->>0, note->>1)) "
           "FROM jsonb_array_elements(%s::jsonb) AS note)")
IS_HEARD = (f"CASE WHEN pg_try_advisory_lock({HEARD}) "
            f"THEN NOT pg_advisory_unlock({HEARD}) ELSE true END")
# The same with notes of runs, which are left out while nobody hears them.
_NOTIFY_WHO_HEARS = f"""
WITH heard AS MATERIALIZED (SELECT {IS_HEARD} AS is_so)
SELECT set_config('synchronous_commit', 'off', true),
    (SELECT count(pg_notify(note->>0, note->>1)) FROM jsonb_array_elements(%s::jsonb) AS note
     WHERE heard.is_so OR note->>0 <> '{RUNS}'), heard.is_so FROM heard
"""


class Notifier:
    """A thread of its own that sends what was asked for since it last looked."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._other = threading.Event()  # something else than runs is to be told
        self._thread: threading.Thread | None = None
        self._heard = True
        self._ask_at = 0.0  # monotonic time from which `_heard` is to be asked again

    def send(self, channel: str, payload: str = "") -> None:
        """Ask for a NOTIFY; returns at once.

        Without group commit (one thread does everything) it is sent when that thread commits. A
        note of runs is left out while no live feed hears it.
        """
        if channel == RUNS and not self._heard and time.monotonic() < self._ask_at:
            return
        if not settings.OMNI_GROUP_COMMIT:
            transaction.on_commit(lambda: self._send({channel: [payload] if payload else []}))
            return
        with self._lock:
            waiting = self._wanted.setdefault(channel, [])
            if payload and payload not in waiting:
                waiting.append(payload)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
                self._thread.start()
        if channel != RUNS:
            self._other.set()
        self._wake.set()

    def _run(self) -> None:
        while True:
            if not self._wake.wait(timeout=60):
                connection.close()
                self._wake.wait()
            self._other.wait(RUNS_SECONDS)
            self._wake.clear()
            self._other.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, {}
            try:
                self._send(wanted)
            except (DatabaseError, InterfaceError):
                connection.close()
                logger.warning("Could not notify; listeners will look by themselves.")
            time.sleep(PAUSE_SECONDS)

    def _send(self, wanted: dict[str, list[str]]) -> None:
        """Whether a live feed reads runs is asked once in HEARD_SECONDS at most, and only with a
        note of runs.
        """
        if RUNS in wanted and time.monotonic() >= self._ask_at:
            self._heard = bool(_execute(_NOTIFY_WHO_HEARS, wanted)[2])
            self._ask_at = time.monotonic() + HEARD_SECONDS
            return
        if not self._heard:
            wanted.pop(RUNS, None)
        if wanted:
            _send(wanted)


def send_now(channel: str, payloads: list[str]) -> None:
    """NOTIFY on this thread's connection. payloads: joined with commas, cut into several."""
    _send({channel: payloads})


def _send(wanted: Mapping[str, list[str]]) -> None:
    """Everything in one statement, which is one transaction."""
    _execute(_NOTIFY, wanted)


def _execute(query: str, wanted: Mapping[str, list[str]]) -> tuple[Any, ...]:
    notes = [[channel, text] for channel, payloads in wanted.items()
             for text in (_joined(payloads) if channel == RUNS else payloads or [""])]
    with connection.cursor() as cursor:
        cursor.execute(query, [json.dumps(notes)])
        return cursor.fetchone()


def _joined(payloads: list[str]) -> list[str]:
    texts, text = [], ""
    for payload in payloads:
        if len(text) + len(payload) >= _PAYLOAD_MAX:
            texts.append(text)
            text = ""
        text = f"{text},{payload}" if text else payload
    return [*texts, text]


notifier = Notifier()
