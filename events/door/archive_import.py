"""Exported deliveries come into the store again, understood as the front door understands them.

Their senders were proved when they first arrived; here they are marked `verified_by` import.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connections.models import Instance
from events.door.batches import Job, store
from events.models import Event
from events.store import archive
from events.store.archive import RawRow
from events.store.units import Unit, units_of

BATCH = 50  # deliveries in one transaction
BATCH_BYTES = 16 * 1024 * 1024
_HEX = frozenset("0123456789abcdef")


class BadLine(ValueError):
    """A line that cannot be imported; the text says why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What one line came to: new, duplicate, dead_letter or bad. error: why, for the last two."""

    line: int
    state: str
    error: str = ""


def load(lines: Iterable[str], *, dry_run: bool, route: bool) -> Iterator[Imported]:
    """Import exported lines; a bad one is named and the others go on.

    route: let workflows see the new events. Without it they are marked as not routed.
    """
    batch: list[tuple[int, Unit]] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            [unit] = units_of([_row_of(line)])
        except BadLine as exc:
            yield Imported(number, "bad", str(exc))
            continue
        for draft in unit.drafts:
            draft.source = "import" if draft.source == "live" else draft.source
        unit.routed = unit.routed or not route
        batch.append((number, unit))
        size += unit.raw.size_bytes if unit.raw else 0
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield from _settled(batch, dry_run=dry_run)
            batch, size = [], 0
    yield from _settled(batch, dry_run=dry_run)


def _row_of(line: str) -> RawRow:
    """The archive row of one exported line. Raises BadLine."""
    try:
        [(provider, slug, delivery)] = archive.load(io.StringIO(line))
        told = json.loads(line)
    except ValueError as exc:
        raise BadLine(f"no exported delivery: {_reason(exc)}") from exc
    if delivery.received_at is None or delivery.received_at.tzinfo is None:
        raise BadLine("received_at has no time zone")
    instance = Instance.objects.filter(slug=slug, provider=provider).first()
    if instance is None:
        raise BadLine(f"there is no instance '{slug}' of provider '{provider}'; make it first")
    raw = archive.keep(delivery, instance_id=instance.pk, adapter=instance.adapter,
                       proof="import")
    raw.transport = str(told.get("transport") or "import")[:16]
    if told.get("redacted") is True:
        raw.redacted = True
        raw.sha256 = _digest(told.get("sha256"))  # of what arrived, before it was blanked
    elif told.get("sha256") != raw.sha256:
        raise BadLine("the body is not the one that was exported: sha256 differs")
    return raw


def _reason(exc: ValueError) -> str:
    """Why a line could not be read, without its number in another count than ours."""
    cause = exc.__cause__ or exc
    return f"{cause} is missing" if isinstance(cause, KeyError) else str(cause)


def _digest(value: object) -> str:
    if isinstance(value, str) and len(value) == 64 and _HEX.issuperset(value):
        return value
    raise BadLine("sha256 is no digest")


def _settled(batch: list[tuple[int, Unit]], *, dry_run: bool) -> Iterator[Imported]:
    if dry_run:
        for number, unit in batch:
            yield _told(number, unit, is_new=_brings_news(unit))
        return
    jobs = [(number, Job(unit)) for number, unit in batch]
    store([job for _, job in jobs])
    for number, job in jobs:
        error = job.done.exception()
        if error is not None:
            yield Imported(number, "bad", f"not stored: {error}")
            continue
        stored = job.done.result()
        if stored is None:
            yield Imported(number, "new")  # the spool holds it until the database is back
        else:
            yield _told(number, job.unit, is_new=bool(stored.event_ids))


def _told(number: int, unit: Unit, *, is_new: bool) -> Imported:
    if unit.raw is not None and unit.raw.quarantine_reason:
        return Imported(number, "dead_letter",
                        f"{unit.raw.quarantine_reason}: {unit.raw.quarantine_detail}")
    return Imported(number, "new" if is_new else "duplicate")


def _brings_news(unit: Unit) -> bool:
    """Whether any event of the unit is not stored yet."""
    known = dict(Event.objects.filter(
        instance_id=unit.instance_id, dedup_key__in=[draft.dedup_key for draft in unit.drafts])
        .values_list("dedup_key", "fingerprint"))
    return any(known.get(draft.dedup_key) != draft.fingerprint() for draft in unit.drafts)
