"""The contact lists in force, as a process remembers them.

Which lists there are is kept while none is changed. The entries of a list are kept beside a
checksum, which the database computes, so that a change of one list reads no other again.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from django.db import connection

from actions.people.pattern_index import PatternIndex
from omni.config.remembered import Remembered

MOST_BYTES = 32 * 1024 * 1024  # of entries in one process: a million phones; more is read again
_LISTS = """
SELECT l.id, l.name, l.purpose, l.label, count(e.id),
       coalesce(sum(hashtextextended(e.pattern, e.id)), 0)::text
FROM omni_contact_lists l LEFT JOIN omni_contact_list_entries e ON e.contact_list_id = l.id
WHERE l.enabled AND l.instance_id IS NOT DISTINCT FROM %s GROUP BY l.id ORDER BY l.name, l.id
"""
_ENTRIES = """
SELECT pattern, hashtextextended(pattern, id) FROM omni_contact_list_entries
WHERE contact_list_id = %s
"""


@dataclass(frozen=True, slots=True)
class ListInForce:
    """An enabled list. label: what it calls its people, beside its name. count: its entries.

    checksum: other entries have another one.
    """

    id: int
    name: str
    purpose: str
    label: str
    count: int
    checksum: str

    @property
    def index(self) -> PatternIndex:
        """Its entries; read when they are not in memory."""
        return _entries.of(self)


class _Entries:
    """The entries of lists, MOST_BYTES in all; those read longest ago go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # one list is read at a time
        self._kept: OrderedDict[int, tuple[str, PatternIndex]] = OrderedDict()

    def of(self, one: ListInForce) -> PatternIndex:
        kept = self._kept.get(one.id)
        if kept is not None and kept[0] == one.checksum:
            return kept[1]
        with self._lock:
            kept = self._kept.get(one.id)
            if kept is None or kept[0] != one.checksum:
                kept = _read(one.id)
                self._kept.pop(one.id, None)
                self._kept[one.id] = kept
                self._shrink()
        return kept[1]

    def _shrink(self) -> None:
        size = sum(index.size_bytes for _, index in self._kept.values())
        while size > MOST_BYTES and len(self._kept) > 1:
            _, (_, gone) = self._kept.popitem(last=False)
            size -= gone.size_bytes


_lists: Remembered[int | None, tuple[ListInForce, ...]] = Remembered("contact_lists", most=5000)
_entries = _Entries()


def at(instance_id: int) -> list[ListInForce]:
    """The lists of one instance and the global ones, by name."""
    return sorted((*_of(instance_id), *_of(None)), key=lambda one: (one.name, one.id))


def _of(instance_id: int | None) -> tuple[ListInForce, ...]:
    def load() -> tuple[ListInForce, ...]:
        with connection.cursor() as cursor:
            cursor.execute(_LISTS, [instance_id])
            return tuple(ListInForce(*row) for row in cursor.fetchall())

    return _lists.get(instance_id, load)


def _read(list_id: int) -> tuple[str, PatternIndex]:
    """The entries of a list with the checksum of these very ones, which may be newer."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [list_id])
        rows = cursor.fetchall()
    return str(sum(part for _, part in rows)), PatternIndex(pattern for pattern, _ in rows)
