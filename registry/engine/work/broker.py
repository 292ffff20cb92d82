"""django-q2's broker on PostgreSQL: one-statement claims, and it keeps drains busy.

Ordinary tasks stay in django-q2's own table. Runs are never queued here: when fewer drains hold a
slot than there should be, a worker is handed the drain task, and when a run waits that killed
workers before, another is handed the quarantine. A NOTIFY of the table wakes it; it looks by itself
once a second.
"""

import logging
import os
import select
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from omni import statements
from registry.engine.work import drain, quarantine
from registry.engine.work.session import Session

logger = logging.getLogger("omni.registry")
LOOK_SECONDS = 1.0
HAND_SECONDS = 2.0  # time a task that was handed out has to take its lock
TASKS = "omni_tasks"  # notified when a row is added to django-q2's table
_OURS = "ours:"
_NO_LIMIT = -1  # of time: a heartbeat decides
_CLAIM = """
UPDATE django_q_ormq SET lock = clock_timestamp() + %s::float8 * interval '1 second'
WHERE id = ANY(ARRAY(SELECT id FROM django_q_ormq WHERE key = %s::text
                     AND lock < clock_timestamp()
                     ORDER BY id LIMIT %s::int FOR UPDATE SKIP LOCKED))
RETURNING id, payload
"""
_LOOK = """
WITH held AS (
    SELECT objid::bigint AS id, classid::bigint AS class, objsubid FROM pg_locks
    WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
SELECT EXISTS (SELECT 1 FROM django_q_ormq WHERE key = %s::text AND lock < clock_timestamp()),
    (SELECT count(*) FROM held WHERE class = %s::bigint AND id = ANY(%s::bigint[])),
    EXISTS (SELECT 1 FROM omni_runs WHERE state = 'queued' AND deaths >= 2
            AND available_at <= omni_now())
        AND NOT EXISTS (SELECT 1 FROM held WHERE class = 0 AND id = %s::bigint AND objsubid = 1)
"""


class Found(NamedTuple):
    """tasks: some are due. drains: how many hold a slot. suspects: some wait, and nobody is at it.
    """

    tasks: bool
    drains: int
    suspects: bool


class FabricBroker(ORM):
    """The broker named in settings.Q_CLUSTER."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self._handed: dict[Callable[[], None], list[float]] = {}
        self._session: Session | None = None
        self._pid = 0

    def dequeue(self) -> list[tuple[object, str]] | None:
        """Tasks that are due, or a drain, or None after a short sleep.

        Never raises for the database: django-q2's pusher would stay away for ten seconds.
        """
        try:
            tasks = self._next()
            if not tasks:
                self._wait()
        except (DatabaseError, InterfaceError, psycopg.Error):
            connection.close()
            self.close()
            logger.warning("Database is away; the broker waits.")
            time.sleep(LOOK_SECONDS)
            tasks = None
        return tasks or None

    def look(self) -> Found:
        slots = list(drain.cluster_slots())
        return Found(*statements.execute(
            _LOOK, [self.list_key, drain.LOCK_CLASS, slots, quarantine.LOCK])[0])

    def _next(self) -> list[tuple[object, str]]:
        found = self.look()
        if found.tasks and (tasks := statements.execute(
                _CLAIM, [Conf.RETRY, self.list_key, Conf.BULK])):
            return tasks
        if drain.STOP.value:
            return []
        if found.drains + self._under_way(drain.drain) < len(drain.cluster_slots()):
            return [self._hand(drain.drain)]
        if found.suspects and not self._under_way(quarantine.quarantine):
            return [self._hand(quarantine.quarantine)]
        return []

    def _under_way(self, function: Callable[[], None]) -> int:
        """How many of these tasks were handed out just now."""
        now = time.monotonic()
        self._handed[function] = [moment for moment in self._handed.get(function, ())
                                  if now - moment < HAND_SECONDS]
        return len(self._handed[function])

    def _hand(self, function: Callable[[], None]) -> tuple[object, str]:
        self._handed[function].append(time.monotonic())
        token = uuid.uuid4().hex
        return (f"{_OURS}{token}", SignedPackage.dumps({
            "id": token, "name": f"{function.__name__}-{token[:8]}", "func": function, "args": (),
            "kwargs": {}, "started": timezone.now(), "save": False, "ack_failure": True,
            "timeout": _NO_LIMIT}))

    def _wait(self) -> None:
        """Until a task is added, but not for long."""
        if self._session is None or self._pid != os.getpid():
            self._session = Session()
            self._pid = os.getpid()
            self._session.listen(TASKS)
            return  # what was added before is looked for
        select.select([self._session.fileno()], [], [], LOOK_SECONDS)
        self._session.notes()

    def close(self) -> None:
        """End the session it waits on; the next wait begins another."""
        session, self._session = self._session, None
        if session is not None and self._pid == os.getpid():
            session.close()

    def acknowledge(self, task_id: object) -> None:
        if not str(task_id).startswith(_OURS):
            super().acknowledge(task_id)

    def fail(self, task_id: object) -> None:
        """A task that cannot be read is set aside with its row kept for a month, and logged."""
        if str(task_id).startswith(_OURS):
            return
        logger.error("Task could not be read; it is kept, locked for 30 days.",
                     extra={"task_row": task_id})
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_q_ormq SET lock = clock_timestamp() + "
                           "interval '30 days' WHERE id = %s", [task_id])

    def info(self) -> str:
        return "PostgreSQL (FabricBroker)"
