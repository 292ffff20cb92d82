"""django-q2's broker on PostgreSQL: one-statement claims, and it keeps drains busy.

Ordinary tasks stay in django-q2's own table. Runs are never queued here: when fewer drains hold a
slot than there should be, a worker is handed the drain task (`registry.tasks.drain`).
"""

import logging
import time
import uuid

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from registry.engine.work import drain

logger = logging.getLogger("omni.registry")
POLL_SECONDS = 0.25
HAND_SECONDS = 2.0  # time a handed drain has to take its slot
_DRAIN_ACK = "drain:"
_CLAIM = """
UPDATE django_q_ormq SET lock = clock_timestamp() + %s * interval '1 second'
WHERE id = ANY(ARRAY(SELECT id FROM django_q_ormq WHERE key = %s AND lock < clock_timestamp()
                     ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, payload
"""
_HELD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND classid = %s AND objid = ANY(%s::bigint[]::oid[])
"""


class FabricBroker(ORM):
    """The broker named in settings.Q_CLUSTER."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self._handed: list[float] = []

    def dequeue(self) -> list[tuple[object, str]] | None:
        """Tasks that are due, or a drain, or None after a short sleep.

        Never raises for the database: django-q2's pusher would stay away for ten seconds.
        """
        try:
            tasks = self._claim() or self._missing_drain()
        except (DatabaseError, InterfaceError):
            connection.close()
            logger.warning("Database is away; the broker waits.")
            tasks = None
        if not tasks:
            time.sleep(POLL_SECONDS)
        return tasks

    def _claim(self) -> list[tuple[object, str]]:
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [Conf.RETRY, self.list_key, Conf.BULK])
            return cursor.fetchall()

    def _missing_drain(self) -> list[tuple[object, str]] | None:
        slots = drain.cluster_slots()
        now = time.monotonic()
        self._handed = [moment for moment in self._handed if now - moment < HAND_SECONDS]
        with connection.cursor() as cursor:
            cursor.execute(_HELD, [drain.LOCK_CLASS, list(slots)])
            held = cursor.fetchone()[0]
        if drain.STOP.value or held + len(self._handed) >= len(slots):
            return None
        self._handed.append(now)
        token = uuid.uuid4().hex
        return [(f"{_DRAIN_ACK}{token}", SignedPackage.dumps({
            "id": token, "name": f"drain-{token[:8]}", "func": drain.drain, "args": (),
            "kwargs": {}, "started": timezone.now(), "save": False, "ack_failure": True}))]

    def acknowledge(self, task_id: object) -> None:
        if not str(task_id).startswith(_DRAIN_ACK):
            super().acknowledge(task_id)

    def fail(self, task_id: object) -> None:
        """A task that cannot be read is set aside with its row kept for a month, and logged."""
        if str(task_id).startswith(_DRAIN_ACK):
            return
        logger.error("Task could not be read; it is kept, locked for 30 days.",
                     extra={"task_row": task_id})
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_q_ormq SET lock = clock_timestamp() + "
                           "interval '30 days' WHERE id = %s", [task_id])

    def info(self) -> str:
        return "PostgreSQL (FabricBroker)"
