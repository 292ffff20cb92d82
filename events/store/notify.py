"""Wakes whoever waits for new rows: one NOTIFY per few milliseconds, sent after the commit.

Inside the ingest transaction a NOTIFY would take a database-wide lock across the fsync; a lost one
costs nothing, because every listener also looks by itself.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

logger = logging.getLogger("omni.events")
EVENTS = "omni_events"  # new event rows; no payload
WORK = "omni_work"  # runs are due that no worker may have seen; no payload
RUNS = "omni_runs"  # payload: ids of runs that changed, comma separated
SIGNALS = "omni_signals"  # payload: JSON of a typing signal
PAUSE_SECONDS = 0.005
_PAYLOAD_MAX = 7000
# Nothing is lost with a note, so its commit does not wait for the disk.
_NOTIFY = ("SELECT set_config('synchronous_commit', 'off', true), "
           "(SELECT count(pg_notify(note->>0, note->>1)) "
           "FROM jsonb_array_elements(%s::jsonb) AS note)")


class Notifier:
    """A thread of its own that sends what was asked for since it last looked."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def send(self, channel: str, payload: str = "") -> None:
        """Ask for a NOTIFY; returns at once.

        Without group commit (one thread does everything) it is sent when that thread commits.
        """
        if not settings.OMNI_GROUP_COMMIT:
            transaction.on_commit(lambda: send_now(channel, [payload] if payload else []))
            return
        with self._lock:
            waiting = self._wanted.setdefault(channel, [])
            if payload and payload not in waiting:
                waiting.append(payload)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            if not self._wake.wait(timeout=60):
                connection.close()
                self._wake.wait()
            self._wake.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, {}
            try:
                _send(wanted)
            except (DatabaseError, InterfaceError):
                connection.close()
                logger.warning("Could not notify; listeners will look by themselves.")
            time.sleep(PAUSE_SECONDS)


def send_now(channel: str, payloads: list[str]) -> None:
    """NOTIFY on this thread's connection. payloads: joined with commas, cut into several."""
    _send({channel: payloads})


def _send(wanted: Mapping[str, list[str]]) -> None:
    """Everything in one statement, which is one transaction."""
    notes = [[channel, text] for channel, payloads in wanted.items()
             for text in (_joined(payloads) if channel == RUNS else payloads or [""])]
    with connection.cursor() as cursor:
        cursor.execute(_NOTIFY, [json.dumps(notes)])


def _joined(payloads: list[str]) -> list[str]:
    texts, text = [], ""
    for payload in payloads:
        if len(text) + len(payload) >= _PAYLOAD_MAX:
            texts.append(text)
            text = ""
        text = f"{text},{payload}" if text else payload
    return [*texts, text]


notifier = Notifier()
