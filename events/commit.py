"""Group commit: one transaction for all deliveries that arrived during the one before.

No timer: an idle door commits a lone delivery at once, a busy one batches by itself. A bad
delivery never fails its neighbours, and what the database cannot take goes to the spool.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from connections.models import Instance
from connections.payload import sanitize_text
from events import contacts, conversations, ingest, notify, spool
from events.archive import RawRow, as_delivery
from events.ingest import Stored, Unit
from events.knocks import knocks
from events.normalize import understand
from omni import failpoints
from omni.errors import InvalidParams, Unavailable

logger = logging.getLogger("omni.events")
BATCH = 100
_AWAY = (OperationalError, InterfaceError)
_LIMIT = "54"  # SQLSTATE class "program limit exceeded": the row is at fault, not the server


@dataclass(slots=True)
class Job:
    """A unit and who waits for it."""

    unit: Unit
    done: Future = field(default_factory=Future)  # Stored, or None when it was spooled


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
        _forget()
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
        _forget()
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
        job.done.set_result(_persist_as_dead_letter(job.unit, exc))
    except _AWAY as away:
        connection.close()
        _spool(job, away)
    except (DatabaseError, ValueError) as again:
        job.done.set_exception(again)


def _persist_as_dead_letter(unit: Unit, exc: Exception) -> Stored:
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


def _forget() -> None:
    conversations.forget()
    contacts.forget()


def drain_spool() -> int:
    """Store what the spool holds, oldest first; returns how many. Raises while it cannot.

    What the store refuses becomes a dead letter, so that one delivery never blocks the rest.
    """
    count = 0
    for path, raw in spool.entries():
        unit = unit_of(raw)
        try:
            ingest.persist([unit])
        except Exception as exc:  # around a task: one delivery must not keep the rest waiting
            if is_away(exc):
                raise
            _forget()
            logger.error("Spooled delivery could not be stored as events.", exc_info=exc)
            _persist_as_dead_letter(unit, exc)
        path.unlink(missing_ok=True)
        failpoints.hit("drain.committed")
        count += 1
    if count:
        logger.info("Spool drained.", extra={"deliveries": count})
        notify.notifier.send(notify.EVENTS)
    return count


def unit_of(raw: RawRow) -> Unit:
    """The unit of a verified delivery, understood now.

    An instance that is gone or whose settings no longer fit leaves a dead letter with that reason.
    """
    unit = Unit(instance_id=raw.instance_id, provider=raw.provider, drafts=[], raw=raw,
                received_at=raw.received_at)
    instance = Instance.objects.filter(pk=raw.instance_id).first()
    if instance is None:
        raw.quarantine("instance_gone", f"there is no instance {raw.instance_id} any more")
        return unit
    unit.routed = not instance.is_on
    try:
        account = instance.account()
    except InvalidParams as exc:
        raw.quarantine("instance_settings", exc.message)
        return unit
    understood = understand(as_delivery(raw), adapter=instance.adapter, account=account)
    unit.drafts = understood.drafts
    raw.flags = understood.flags
    if understood.reason:
        raw.quarantine(understood.reason, understood.detail)
    return unit


class GroupCommit:
    """One writer thread with its own connection; `submit` from any thread."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job) -> Future:
        """Queue a job; its future ends with Stored, None (spooled) or Unavailable.

        Raises Unavailable at once when too many wait already.
        """
        if not settings.OMNI_GROUP_COMMIT:
            store([job])
            knocks.flush()
            return job.done
        if self._jobs.qsize() >= settings.OMNI_COMMIT_QUEUE:
            raise Unavailable("too many deliveries are waiting to be stored")
        self._jobs.put(job)
        if self._thread is None or not self._thread.is_alive():
            self._start()
        return job.done

    def wake(self) -> None:
        """Make sure that the writer runs, so that counted knocks are written."""
        if settings.OMNI_GROUP_COMMIT:
            self._start()
        else:
            knocks.flush(force=True)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                if batch:
                    store(batch)
                knocks.flush()
                if spool.due():
                    drain_spool()
            except _AWAY:
                connection.close()
            except Exception as exc:  # a request's last line of defence: nobody waits for ever
                logger.exception("Writer failed.")
                for job in batch:
                    if not job.done.done():
                        job.done.set_exception(Unavailable(str(exc)))
            finally:
                for _ in batch:
                    self._jobs.task_done()

    def _next_batch(self) -> list[Job]:
        try:
            batch = [self._jobs.get(timeout=1.0)]
        except queue.Empty:
            return []
        while len(batch) < BATCH:
            try:
                batch.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        return batch

    def drain(self, timeout: float) -> bool:
        """Wait until all that was queued is answered, for a clean stop; False when time ran out."""
        finished = threading.Event()

        def watch() -> None:
            while self._jobs.unfinished_tasks:
                finished.wait(0.02)
            finished.set()

        threading.Thread(target=watch, daemon=True).start()
        return finished.wait(timeout)


writer = GroupCommit()
