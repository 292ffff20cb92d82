"""A small bounded store of files for the time the database is away; off unless OMNI_SPOOL_DIR.

One file per delivery, on disk before it is acknowledged. It holds what the archive would (verified,
credentials blanked), is drained in arrival order, and is deleted after its commit. Dedup keys make
a second drain harmless. A file's name says when it came and how long it is, so that one listing
tells all.
"""

import heapq
import itertools
import json
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from django.conf import settings

from events.door.spool_room import Room
from events.store import durable
from events.store.archive import RawRow

logger = logging.getLogger("omni.events")
_RETRY_SECONDS = 2.0
_PIECE = 100  # names at a time
_SUFFIX = ".delivery"
_PARTS = 4  # of a name: nanoseconds since 1970, process, number, bytes; once it had no bytes
_numbers = itertools.count(1)
_last_try = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One spooled delivery on its way into the store."""

    path: Path
    size: int
    raw: RawRow


_listed: Iterator[Path] = iter(())  # what is still to be drained of the last listing
_returned: deque[Path] = deque()  # and what was taken of it in vain


def enabled() -> bool:
    return bool(settings.OMNI_SPOOL_DIR)


def folder() -> Path:
    return Path(settings.OMNI_SPOOL_DIR)


def write(entry: bytes) -> Path:
    """Keep one delivery; returns when it is on disk. Raises OSError when there is no room."""
    place = folder()
    durable.make_folder(place)
    name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers):09d}-{len(entry)}{_SUFFIX}"
    _room.take(place, name, len(entry))
    try:
        durable.write(place / name, entry, failpoint="spool")
    except OSError:
        _room.give_back(name, len(entry))
        raise
    return place / name


def _size_of(place: Path, name: str) -> int | None:
    """Bytes, from the name or else from the disk. None for what another process has just drained,
    or what says nothing.
    """
    parts = name.removesuffix(_SUFFIX).split("-")
    if len(parts) == _PARTS and parts[-1].isascii() and parts[-1].isdigit():
        return int(parts[-1])
    try:
        return (place / name).stat().st_size
    except OSError:
        return None


def _pieces(place: Path) -> Iterator[list[str]]:
    """The names of what waits, in no order, some at a time: in between others get their turn at
    Python's lock.
    """
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return
    for start in range(0, len(names), _PIECE):
        yield [name for name in names[start:start + _PIECE] if name.endswith(_SUFFIX)]
        time.sleep(0)


def _sizes_in(place: Path) -> Iterator[tuple[str, int]]:
    for names in _pieces(place):
        for name in names:
            size = _size_of(place, name)
            if size is not None:
                yield name, size


_room = Room(_sizes_in)


def waiting() -> Iterator[Path]:
    """Spooled deliveries, oldest first, from one listing."""
    place = folder()
    return (place / name for name in heapq.merge(*[sorted(names) for names in _pieces(place)]))


def prepare() -> None:
    """Have it counted what the spool holds, before the first delivery needs it."""
    if enabled():
        _room.know(folder())


def due() -> bool:
    """Whether it is time to try the database again for what waits."""
    global _last_try
    if not enabled() or time.monotonic() - _last_try < _RETRY_SECONDS:
        return False
    _last_try = time.monotonic()
    place = folder()
    if not place.is_dir():
        return False
    with os.scandir(place) as files:
        return any(file.name.endswith(_SUFFIX) for file in files)


def pack(raw: RawRow) -> bytes:
    """One archive row as a file: a line of JSON, then the body."""
    head = {field.name: getattr(raw, field.name) for field in fields(raw) if field.name != "body"}
    return json.dumps(head, default=str).encode() + b"\n" + raw.body


def unpack(entry: bytes) -> RawRow:
    """What `pack` wrote. Raises ValueError for a file that is something else."""
    head, _, body = entry.partition(b"\n")
    try:
        values = json.loads(head)
        values["received_at"] = datetime.fromisoformat(values["received_at"])
        return RawRow(body=body, **{**values, "id": 0})
    except (KeyError, TypeError, ValueError) as exc:
        raise ValueError(f"no spooled delivery: {exc}") from exc


def take(*, most: int, most_bytes: int) -> list[Entry]:
    """The oldest that wait, as many as both bounds allow, one at least; [] when none waits.

    The folder is listed once, and again when all of that listing was taken. A file that is no
    delivery is set aside under `.bad`, and what cannot be set aside is passed over.
    """
    global _listed
    taken: list[Entry] = []
    size = 0
    path = _next()
    if path is None or path.parent != folder():
        _returned.clear()
        _listed = waiting()
        path = _next()
    while path is not None:
        entry = _entry(path)
        if entry is not None and taken and size + entry.size > most_bytes:
            _returned.appendleft(path)
            break
        if entry is not None:
            taken.append(entry)
            size += entry.size
        path = _next() if len(taken) < most else None
    return taken


def _next() -> Path | None:
    return _returned.popleft() if _returned else next(_listed, None)


def _entry(path: Path) -> Entry | None:
    try:
        data = path.read_bytes()
        return Entry(path, len(data), unpack(data))
    except FileNotFoundError:
        return None  # another process drained it
    except (ValueError, IsADirectoryError, PermissionError) as exc:
        _set_aside(path, exc)
    except OSError as exc:  # of the disk or this process: it may be read another time
        _log(path, exc)
    return None


def _set_aside(path: Path, why: Exception) -> None:
    size = _size_of(path.parent, path.name)
    _log(path, why)
    try:
        path.rename(path.with_suffix(".bad"))
    except OSError as exc:
        _log(path, exc)
    else:
        _room.give_back(path.name, size or 0)


def _log(path: Path, why: Exception) -> None:
    logger.error("A spooled delivery cannot be read.", extra={
        "entry": path.name, "reason": f"{type(why).__name__}: {why}"})


def put_back(entries: Sequence[Entry]) -> None:
    """What was taken and could not be stored comes first again."""
    _returned.extendleft(entry.path for entry in reversed(entries))


def remove(entry: Entry) -> None:
    """Forget a delivery that is stored."""
    entry.path.unlink(missing_ok=True)
    _room.give_back(entry.path.name, entry.size)
