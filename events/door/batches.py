"""One transaction for a batch of deliveries, and an answer for each of them.

A bad delivery never fails its neighbours, and what the database cannot take goes to the spool.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from connections.payload import sanitize_text
from events.door import spool
from events.people import contacts, conversations
from events.store import ingest, notify
from events.store.units import Stored, Unit
from omni.errors import Unavailable

logger = logging.getLogger("omni.events")
_AWAY = (OperationalError, InterfaceError)
_LIMIT = "54"  # SQLSTATE class "program limit exceeded": the row is at fault, not the server


@dataclass(slots=True)
class Job:
    """A unit and who waits for it."""

    unit: Unit
    done: Future = field(default_factory=Future)  # Stored, or None when it was spooled

    @property
    def size(self) -> int:
        """Bytes of its body."""
        return len(self.unit.raw.body) if self.unit.raw is not None else 0


def store(jobs: Sequence[Job]) -> None:
    """Persist a batch and resolve every job; never raises for content or for the database."""
    try:
        _resolve(jobs, _persist_or_retry([job.unit for job in jobs]))
    except Exception as exc:  # around a request: whatever a draft holds, its sender is answered
        if is_away(exc):
            connection.close()
            for job in jobs:
                _spool(job, exc)
            return
        forget()
        if len(jobs) > 1:
            for job in jobs:
                store([job])
        else:
            _quarantine(jobs[0], exc)


def is_away(exc: BaseException) -> bool:
    """Whether an error says that the database is not there, rather than that a row is wrong."""
    if not isinstance(exc, _AWAY):
        return False
    state = getattr(exc.__cause__, "sqlstate", None) or ""
    return not state.startswith(_LIMIT)


def _persist_or_retry(units: list[Unit]) -> list[Stored]:
    """Persist; a connection that broke, or a deadlock, is tried once more.

    Trying again is safe: what was committed after all is found as a duplicate.
    """
    try:
        return ingest.persist(units)
    except _AWAY as exc:
        if not is_away(exc):
            raise
        connection.close()
        forget()
        return ingest.persist(units)


def _resolve(jobs: Sequence[Job], stored: list[Stored]) -> None:
    for job, result in zip(jobs, stored, strict=True):
        job.done.set_result(result)
    if any(result.event_ids for result in stored):
        notify.notifier.send(notify.EVENTS)


def _quarantine(job: Job, exc: Exception) -> None:
    """The store refused this one delivery: keep its bytes as a dead letter."""
    logger.error("Delivery could not be stored as events.", exc_info=exc,
                 extra={"provider": job.unit.provider, "instance_id": job.unit.instance_id})
    if job.unit.raw is None:
        job.done.set_exception(exc)
        return
    try:
        job.done.set_result(persist_as_dead_letter(job.unit, exc))
    except _AWAY as away:
        connection.close()
        _spool(job, away)
    except (DatabaseError, ValueError) as again:
        job.done.set_exception(again)


def persist_as_dead_letter(unit: Unit, exc: Exception) -> Stored:
    """Keep the bytes of what the store refused, with its reason."""
    unit.drafts = []
    unit.raw.quarantine("store_error", sanitize_text(f"{type(exc).__name__}: {exc}"))
    return ingest.persist([unit])[0]


def _spool(job: Job, exc: Exception) -> None:
    """The database is away: the local spool takes the delivery, or the sender must try again."""
    if job.unit.raw is not None and spool.enabled():
        try:
            spool.write(spool.pack(job.unit.raw))
            job.done.set_result(None)
            return
        except OSError as disk:
            logger.error("Spool refused a delivery.", extra={"reason": str(disk)})
    job.done.set_exception(Unavailable(f"the database cannot commit: {exc}"))


def forget() -> None:
    """Drop the ids of a transaction that was rolled back."""
    conversations.forget()
    contacts.forget()
