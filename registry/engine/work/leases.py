"""Who is alive: one row per worker process, renewed by a heartbeat of its own.

A lease belongs to the process, not to each of its runs: renewing is one small statement however
many runs are at work, in a thread and on a connection that nothing else holds up. A run whose
step overran its time is let go by itself.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from omni import statements
from registry.engine.work.queue import Claim

logger = logging.getLogger("omni.registry")
RENEW_SECONDS = 2.0
_BEAT = """
INSERT INTO omni_workers (owner, until, looked_at)
VALUES (%s::text, omni_now() + %s::float8 * interval '1 second', %s::timestamptz)
ON CONFLICT (owner) DO UPDATE SET until = excluded.until, looked_at = excluded.looked_at
"""
_LET_GO = """
UPDATE omni_runs r SET lease_owner = '', lease_until = omni_now()
FROM unnest(%s::bigint[], %s::bigint[]) AS w(id, token)
WHERE r.id = w.id AND r.token = w.token AND r.state = 'running'
"""
_GIVE_BACK = """
UPDATE omni_runs r SET state = 'queued', lease_owner = '', lease_until = NULL,
    available_at = omni_now() + %s::float8 * interval '1 second'
FROM unnest(%s::bigint[], %s::bigint[]) AS w(id, token)
WHERE r.id = w.id AND r.token = w.token AND r.state = 'running'
"""
_RELEASE = """
WITH gone AS (DELETE FROM omni_workers WHERE owner = %s::text)
UPDATE omni_runs SET state = 'queued', lease_until = NULL, lease_owner = '',
    available_at = omni_now()
WHERE state = 'running' AND lease_owner = %s::text
"""
_FORGET = "DELETE FROM omni_workers WHERE until < omni_now() - interval '1 hour'"


def beat(owner: str, *, looked_at: datetime | None = None) -> None:
    """This worker is alive for OMNI_LEASE_SECONDS more. looked_at: see `Worker`."""
    statements.execute(_BEAT, [owner, settings.OMNI_LEASE_SECONDS, looked_at])


def let_go(claims: Iterable[Claim]) -> None:
    """Give up runs whose step overran its time: the next sweep takes them back, as a death."""
    tokens = {claim.run_id: claim.token for claim in claims}
    if tokens:
        statements.execute(_LET_GO, [list(tokens), list(tokens.values())])


def give_back(claims: Iterable[Claim]) -> None:
    """Queue runs again that broke off because the database was away; nothing is counted."""
    tokens = {claim.run_id: claim.token for claim in claims}
    if tokens:
        statements.execute(_GIVE_BACK, [RENEW_SECONDS, list(tokens), list(tokens.values())])


def release(owner: str) -> None:
    """On a clean stop: give back what this worker held, without counting a death."""
    statements.execute(_RELEASE, [owner, owner])


def forget() -> None:
    """Rows of workers that went long ago."""
    statements.execute(_FORGET)


class Heartbeat:
    """A thread that renews the worker's lease until it is stopped.

    overdue: gives the claims whose step overran its time; each is let go, as soon as the database
    answers, and then `after` is called. left: gives those that are to be queued again. looked: when
    the worker looked at everything, if it is the one that does.
    """

    def __init__(self, owner: str, *, overdue: Callable[[], list[Claim]],
                 after: Callable[[], None] = lambda: None,
                 left: Callable[[], list[Claim]] = list,
                 looked: Callable[[], datetime | None] = lambda: None) -> None:
        self._owner, self._overdue, self._after, self._looked = owner, overdue, after, looked
        self._left = left
        self._owed: list[Claim] = []  # to be let go
        self._owed_back: list[Claim] = []  # to be queued again
        self._beats = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """The first beat is made here: nothing may be claimed before it. Raises errors of the
        database.
        """
        beat(self._owner)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(RENEW_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause()):
                try:
                    self._renew()
                except (DatabaseError, InterfaceError):  # around a task: the next beat tries again
                    connection.close()
                    logger.warning("Heartbeat missed: the database is away.")
        finally:
            connection.close()

    def _pause(self) -> float:
        """At first short, so that a system that has just started soon says that it is ready."""
        self._beats += 1
        return RENEW_SECONDS if self._beats > 4 else RENEW_SECONDS / 4

    def _renew(self) -> None:
        hung = self._overdue()
        if hung:
            logger.error("Steps overran their time; their runs are let go.",
                         extra={"runs": [claim.run_id for claim in hung]})
        self._owed += hung
        if self._owed:
            let_go(self._owed)
            self._owed.clear()
            self._after()
        self._owed_back += self._left()
        if self._owed_back:
            give_back(self._owed_back)
            self._owed_back.clear()
        beat(self._owner, looked_at=self._looked())
