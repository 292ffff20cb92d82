"""The clock: makes an event of every time a schedule is due, on each instance it is on for.

What was due last is read from the stored events, so that no restart loses or repeats a time; the
dedup key names workflow, line and time, so that the database makes each event once.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction

from connections.envelope import EventDraft
from connections.models import TOPIC as INSTANCES
from connections.models import Instance
from events.models import Event
from events.store import ingest, notify
from events.store.units import Unit
from omni.config import revision
from registry.engine.route import matching, named
from registry.language import schedules
from registry.language.definition import Schedule

logger = logging.getLogger("omni.registry")
LOCK = 7_311_944  # advisory lock: one worker at a time is the clock
ON_TIME = timedelta(minutes=1)  # what is later than this was missed
MOST_MISSED = 24  # times `catch_up: all` makes up for
HORIZON = timedelta(days=366)  # what was due longer ago is neither made up for nor counted
MOST_AT_ONCE = 200  # schedules of one tick; the others a second later
RETRY = timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)
_LAST = """
SELECT w.n, (SELECT e.occurred_at FROM omni_events e
             WHERE e.instance_id = w.instance_id AND e.event_type = 'system.schedule'
               AND e.occurred_at > w.since AND e.raw_id IS NULL
               AND starts_with(e.dedup_key, w.prefix)
             ORDER BY e.occurred_at DESC LIMIT 1)
FROM jsonb_to_recordset(%s::jsonb)
     AS w(n int, instance_id bigint, since timestamptz, prefix text)
"""


@dataclass(slots=True)
class Line:
    """One schedule of one workflow on one instance.

    since: what was due before does not count. look_at: when something may be due.
    """

    instance_id: int
    provider: str
    slug: str
    schedule: Schedule
    since: datetime
    look_at: datetime

    @property
    def prefix(self) -> str:
        """The dedup key of its events, up to the time."""
        return (f"schedule:{self.slug}:"
                f"{schedules.digest(self.schedule.cron, self.schedule.timezone)}:")


class Clock:
    """What is known of the schedules that are on, and when the next of them may be due."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, str], Line] = {}
        self._seen: tuple[matching.Table, int] | None = None
        self._seen_at: datetime | None = None

    def tick(self, now: datetime) -> int:
        """Store an event for each time that is due; returns how many. See `tick` below."""
        self._refresh(now)
        due = sorted((line for line in self._lines.values() if line.look_at <= now),
                     key=lambda line: line.look_at)[:MOST_AT_ONCE]
        if not due:
            return 0
        stored, looks = 0, []
        with transaction.atomic():
            if not _may_be_the_clock():
                return 0
            for line, last in zip(due, _last_times(due, now), strict=True):
                count, look_at = _fire(line, last, now)
                stored += count
                looks.append(look_at)
        for line, look_at in zip(due, looks, strict=True):  # only what was committed is done
            line.look_at = look_at
        if stored:
            notify.notifier.send(notify.EVENTS)
        return stored

    def _refresh(self, now: datetime) -> None:
        """Read anew what is on, if that changed. A line that was known keeps what is known of it;
        one that appears while we watch was not on before we last looked.
        """
        table = matching.table()
        seen = (table, revision.view().of(INSTANCES))
        if self._seen != seen:
            known, self._lines = self._lines, {}
            for line in _lines_of(table, now):
                key = (line.instance_id, line.prefix)
                if key in known:
                    line.since, line.look_at = known[key].since, known[key].look_at
                elif self._seen_at is not None:
                    line.since = max(line.since, self._seen_at)
                self._lines.setdefault(key, line)
        self._seen, self._seen_at = seen, now


def _lines_of(table: matching.Table, now: datetime) -> list[Line]:
    instances = Instance.objects.active().filter(enabled=True).only(
        "slug", "provider", "updated_at")
    return [Line(instance.pk, instance.provider, effective.slug, trigger.schedule,
                 since=max(effective.since or now, instance.updated_at), look_at=now)
            for instance in instances
            for effective in table.scheduled(instance.pk, instance.provider)
            for trigger in effective.definition.triggers if trigger.schedule is not None]


def _may_be_the_clock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return cursor.fetchone()[0]


def _last_times(lines: Sequence[Line], now: datetime) -> list[datetime | None]:
    """The newest stored time of each line."""
    asked = [{"n": number, "instance_id": line.instance_id, "prefix": line.prefix,
              "since": _start(line, now).isoformat()} for number, line in enumerate(lines)]
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [json.dumps(asked)])
        found = dict(cursor.fetchall())
    return [found[number] for number in range(len(lines))]


def _start(line: Line, now: datetime) -> datetime:
    return max(line.since, now - HORIZON)


def _fire(line: Line, last: datetime | None, now: datetime) -> tuple[int, datetime]:
    """Store what is due of one line, in a savepoint; how many, and when to look again."""
    try:
        with transaction.atomic():
            after = max(_start(line, now), last or line.since)
            cron, place = line.schedule.cron, line.schedule.timezone
            times = schedules.due_times(cron, place, after=after, until=now, most=MOST_MISSED)
            total = schedules.count_due(cron, place, after=after, until=now)
            count = _store(line, kept(times, line.schedule.catch_up, total=total, now=now), now)
            return count, schedules.next_due(cron, place, after=now) or NEVER
    except (OperationalError, InterfaceError):
        raise  # the database went away: nothing of this tick is stored
    except Exception:  # around a task: one schedule must not stop the others
        logger.exception("A schedule failed; it is tried again.",
                         extra={"workflow": line.slug, "instance_id": line.instance_id})
        return 0, now + RETRY


def kept(times: Sequence[datetime], catch_up: str, *, total: int,
         now: datetime) -> list[tuple[datetime, int]]:
    """The due times that become events, each with the number of those left out before it.

    times: the newest that are due and not stored, oldest first. total: how many are, in all.
    """
    if catch_up == "none":
        chosen = [time for time in times if now - time <= ON_TIME]
    else:
        chosen = list(times[-1 if catch_up == "last" else -MOST_MISSED:])
    left_out = total - len(chosen)
    return [(time, 0 if number else left_out) for number, time in enumerate(chosen)]


def _store(line: Line, times: Sequence[tuple[datetime, int]], now: datetime) -> int:
    drafts = [_draft(line, time, skipped) for time, skipped in times]
    known = set(Event.objects.filter(
        instance=line.instance_id, dedup_key__in=[draft.dedup_key for draft in drafts],
    ).values_list("dedup_key", flat=True)) if drafts else set()
    units = [Unit(instance_id=line.instance_id, provider=line.provider, drafts=[draft],
                         received_at=now) for draft in drafts if draft.dedup_key not in known]
    if units:
        ingest.persist(units)
    return len(units)


def _draft(line: Line, due_at: datetime, skipped: int) -> EventDraft:
    return EventDraft(
        event_type=named.SCHEDULE, dedup_key=line.prefix + due_at.isoformat(),
        provider_event_type=named.SCHEDULE, direction="internal", source="live",
        auto_generated=True, occurred_at=due_at, normalizer="omni.clockwork@1",
        content={"workflow": line.slug, "cron": line.schedule.cron,
                 "timezone": line.schedule.timezone, "due_at": due_at.isoformat(),
                 "skipped": skipped})


_clock = Clock()


def tick(now: datetime) -> int:
    """Store a `system.schedule` event for each time that is due by now; returns how many.

    Meant to be called once a second by every worker: while nothing is due it costs two short
    queries. One of them does the work, the others find the lock taken. Raises database errors;
    nothing is stored then, and the next call does it.
    """
    return _clock.tick(now)


def forget() -> None:
    """Begin anew, as after a start of the process."""
    global _clock
    _clock = Clock()
