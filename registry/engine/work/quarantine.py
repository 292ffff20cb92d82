"""Runs that killed workers before are tried once more in a process of their own.

One at a time in the whole system, by a worker that does nothing else meanwhile: if it dies again,
nobody's run dies with it, and no other run waits for it.
"""

import logging
import os
import socket
from collections.abc import Callable

from django.db import connection

from registry.engine.run import runner
from registry.engine.work import leases, queue
from registry.engine.work.pool import Work, broke_off, owner_name
from registry.engine.work.session import Session

logger = logging.getLogger("omni.registry")
LOCK = 7_311_946  # advisory lock of the one that is at it


def _end_process() -> None:
    """A step that hangs here would keep every other suspect waiting."""
    os._exit(1)


class Quarantine:
    """hung: called when a step overran its time, after its run was let go."""

    def __init__(self, *, hung: Callable[[], None] = _end_process) -> None:
        self.owner = owner_name(socket.gethostname())
        self._hung = hung
        self._work: Work | None = None

    def run(self) -> int:
        """Take every suspect that is due as far as it goes; how many there were."""
        done = 0
        with Session() as session:
            if not session.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])[0]:
                return done
            heartbeat = leases.Heartbeat(self.owner, overdue=self._overdue, after=self._hung)
            heartbeat.start()
            try:
                while claims := queue.claim(self.owner, limit=1, alone=True):
                    self._advance(claims[0])
                    done += 1
            finally:
                heartbeat.stop()
                leases.release(self.owner)
        return done

    def _advance(self, claim: queue.Claim) -> None:
        work = self._work = Work(claim)
        try:
            runner.advance(claim, watch=lambda execution: setattr(work, "execution", execution))
        except (Exception, SystemExit) as exc:  # around a task
            if not broke_off(claim, exc):
                leases.give_back([claim])
        self._work = None

    def _overdue(self) -> list[queue.Claim]:
        work = self._work
        if work is None or work.is_let_go or not work.is_hung():
            return []
        work.is_let_go = True
        return [work.claim]


def quarantine() -> None:
    """The task the broker hands out when there are suspects."""
    try:
        Quarantine().run()
    finally:
        connection.close()
