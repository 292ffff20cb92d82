"""Which configuration is in force, as one number that every write of it raises.

Triggers raise it in the transaction of the write (`omni_config_changed()`; each table's migration
says which columns count), so no writer can forget it and it becomes visible with the data. What a
process remembers of these rows (`omni.config.remembered`) holds as long as the number stands.

A writer takes a row that no other writer holds, or a new one: it never waits, so that two writers
cannot lock each other out. The number is the sum of the rows, which grows with every commit.
"""

import itertools
import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import connection, models, transaction

CHANNEL = "omni_config"  # notified by every commit that raised the number
# For statements of others that want to know as of when they read: goes to `seen`.
NUMBER = "(SELECT coalesce(sum(number), 0)::bigint FROM omni_config_revision)"
_NUMBERS = """
SELECT topic, sum(number)::bigint,
       bool_or(writer = pg_current_xact_id_if_assigned()::text::bigint) IS TRUE
FROM omni_config_revision GROUP BY topic
"""


class ConfigRevision(models.Model):
    """How often rows of one topic were changed; written by triggers only.

    One row for each writer there ever was at the same time. writer: the last transaction.
    """

    id = models.BigAutoField(primary_key=True)
    topic = models.CharField(max_length=32)
    number = models.BigIntegerField()
    writer = models.BigIntegerField()

    class Meta:
        app_label = "omni"
        db_table = "omni_config_revision"


@dataclass(frozen=True, slots=True)
class View:
    """What one look came to. numbers: {topic: number}. began, ended: monotonic time of the look.

    own: 0; else the transaction of this thread wrote configuration that nobody else sees yet, and
    no other look has the same.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    own: int = 0
    began: float = 0.0
    ended: float = 0.0

    @property
    def number(self) -> int:
        return sum(self.numbers.values())

    def of(self, topic: str) -> int:
        return self.numbers.get(topic, 0)


class _Known:
    """What this process knows. least: the highest number somebody saw. doubted: monotonic time
    something was said to have changed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.view: View | None = None
        self.least = 0
        self.doubted = 0.0

    def learn(self, found: View) -> View:
        """The newer of two looks. A lower number is newer only when the one look ended before the
        other began, outside of any transaction: then the database itself went back.
        """
        with self.lock:
            before = self.view
            if before is None or found.number > before.number:
                self.view = found
            elif found.number == before.number:
                self.view = max(before, found, key=lambda view: view.began)
            elif found.began > before.ended and not connection.in_atomic_block:
                self.view, self.least = found, found.number
            return self.view or found

    def holds(self, found: View | None, *, share: float = 1.0) -> bool:
        """Whether a look still does. share: of OMNI_INSTANCE_CACHE_SECONDS."""
        seconds = settings.OMNI_INSTANCE_CACHE_SECONDS * share
        return (found is not None and found.began > self.doubted and found.number >= self.least
                and time.monotonic() - found.began < seconds)


class _Mine(threading.local):
    """The last look in a transaction of this thread that wrote configuration."""

    view: View | None = None


_known, _mine = _Known(), _Mine()
_looks = itertools.count(1)


def read() -> int:
    """Ask the database now: all look-ups of this thread are at least as new, and those of others
    once it is committed. What this very transaction wrote, this thread alone sees until then.
    """
    return look().number


def current() -> int:
    """The number to go by: asked for OMNI_INSTANCE_CACHE_SECONDS ago at most."""
    return view().number


def seen(number: int, *, asked_at: float) -> None:
    """Take note of a number that was read in a statement of somebody's own (`NUMBER`).

    Whatever is looked up after this call is at least as new. asked_at: monotonic time before that
    statement; where the number is the one that is known, it was as good as a look.
    """
    with _known.lock:
        _known.least = max(_known.least, number)
        view = _known.view
        if view is not None and view.number == number and asked_at > view.began:
            _known.view = replace(view, began=asked_at, ended=time.monotonic())


def doubt() -> None:
    """Ask again at the next look-up: something was changed, as far as one hears."""
    _known.doubted = time.monotonic()


def changed() -> None:
    """Said by who just wrote configuration: this thread sees it now, and this process when it is
    committed, not up to OMNI_INSTANCE_CACHE_SECONDS later.
    """
    doubt()
    _mark_own()


def view() -> View:
    """The look to go by now."""
    found = _mine.view if _has_own() else _known.view
    return found if found is not None and _known.holds(found) else look()


def is_fresh(*, share: float = 1.0) -> bool:
    """Whether a look-up of a thread that wrote nothing will not ask the database for the number,
    also when a part of the time a look holds has passed.
    """
    return _known.holds(_known.view, share=share)


def age() -> float:
    """Seconds since the database last said what is in force; infinite when it never did."""
    return math.inf if _known.view is None else time.monotonic() - _known.view.began


def look() -> View:
    """Ask the database; the newest that is known by then, or what this transaction sees."""
    found = ask()
    if not found.own:
        found = _known.learn(found)
    if _has_own():
        _mine.view = found
    return found


def ask() -> View:
    """Ask the database as this transaction sees it; nobody takes note of it."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS)
        rows = cursor.fetchall()
    own = next(_looks) if any(is_own for _, _, is_own in rows) else 0
    if own:
        _mark_own()
    return View({topic: number for topic, number, _ in rows}, own, began, time.monotonic())


def forget() -> None:
    """Know nothing: in tests, and in a process that was forked."""
    global _known, _mine
    _known, _mine = _Known(), _Mine()


_marked: set[int] = set()  # threads that may be in such a transaction; spares the others the look


def _has_own() -> bool:
    """Whether this thread is in a transaction that wrote configuration, as far as it was noticed:
    then `_committed` is among what is done after its commit, and no more after a rollback.
    """
    thread = threading.get_ident()
    if thread not in _marked:
        return False
    if any(entry[1] is _committed for entry in connection.run_on_commit):
        return True
    _marked.discard(thread)
    return False


def _mark_own() -> None:
    if connection.in_atomic_block and not _has_own():
        _marked.add(threading.get_ident())
        transaction.on_commit(_committed)


def _committed() -> None:
    doubt()


os.register_at_fork(after_in_child=forget)
