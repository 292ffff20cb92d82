"""A small bounded store of files for the time the database is away; off unless OMNI_SPOOL_DIR.

One file per delivery, on disk before it is acknowledged. It holds what the archive would (verified,
credentials blanked), is drained in arrival order, and is deleted after its commit. Dedup keys make
a second drain harmless. How much it holds is counted in memory, by each process for itself.
"""

import json
import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from django.conf import settings

from events import durable
from events.archive import RawRow

logger = logging.getLogger("omni.events")
_MOST_FILES = 100_000
_FREE_SHARE = 0.10  # of the disk that must stay free
_RETRY_SECONDS = 2.0
_RECOUNT_SECONDS = 5.0  # a full spool is not listed for every delivery it refuses
_SUFFIX = ".delivery"
_lock = threading.Lock()
_counter = 0
_last_try = 0.0


@dataclass(slots=True)
class _Held:
    """What lies in `place`, as far as this process knows, and when it looked (monotonic)."""

    place: Path
    files: int
    size: int
    counted_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One spooled delivery on its way into the store."""

    path: Path
    size: int
    raw: RawRow


_held: _Held | None = None
_listed: deque[Path] = deque()  # what is still to be drained of the last listing


def enabled() -> bool:
    return bool(settings.OMNI_SPOOL_DIR)


def folder() -> Path:
    return Path(settings.OMNI_SPOOL_DIR)


def write(entry: bytes) -> Path:
    """Keep one delivery; returns when it is on disk. Raises OSError when there is no room."""
    global _counter
    place = folder()
    durable.make_folder(place)
    with _lock:
        held = _make_room(place, len(entry))
        held.files += 1
        held.size += len(entry)
        _counter += 1
        name = f"{time.time_ns():020d}-{os.getpid()}-{_counter:09d}{_SUFFIX}"
    try:
        durable.write(place / name, entry, failpoint="spool")
    except OSError:
        _forget_file(len(entry))
        raise
    return place / name


def _make_room(place: Path, size: int) -> _Held:
    """What the spool holds, if `size` bytes more fit. Raises OSError.

    Others may have emptied it: before refusing it is counted anew.
    """
    global _held
    if _held is None or _held.place != place:
        _held = _counted(place)
    if _is_full(_held, size) and time.monotonic() - _held.counted_at > _RECOUNT_SECONDS:
        _held = _counted(place)
    if _is_full(_held, size):
        raise OSError(f"the spool is full ({_held.files} files, {_held.size} bytes)")
    disk = shutil.disk_usage(place)
    if disk.free - size < disk.total * _FREE_SHARE:
        raise OSError("less than 10 % of the disk is free")
    return _held


def _is_full(held: _Held, size: int) -> bool:
    return held.files >= _MOST_FILES or held.size + size > settings.OMNI_SPOOL_MAX_BYTES


def _counted(place: Path) -> _Held:
    sizes = [size for path in waiting(place) if (size := _size_of(path)) is not None]
    return _Held(place, len(sizes), sum(sizes), time.monotonic())


def _size_of(path: Path) -> int | None:
    """None for a file that another process has just drained, or that says nothing."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _forget_file(size: int) -> None:
    with _lock:
        if _held is not None:
            _held.files = max(0, _held.files - 1)
            _held.size = max(0, _held.size - size)


def waiting(place: Path | None = None) -> list[Path]:
    """Spooled deliveries, oldest first."""
    place = place or folder()
    if not place.is_dir():
        return []
    with os.scandir(place) as files:
        return [place / name for name in sorted(
            file.name for file in files if file.name.endswith(_SUFFIX))]


def due() -> bool:
    """Whether it is time to try the database again for what waits.

    The first call, at the start of the process, also finds how much that is.
    """
    global _held, _last_try
    if not enabled() or time.monotonic() - _last_try < _RETRY_SECONDS:
        return False
    _last_try = time.monotonic()
    place = folder()
    if not place.is_dir():
        return False
    with _lock:
        if _held is None or _held.place != place:
            _held = _counted(place)
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
    if not _listed or _listed[0].parent != folder():
        _listed.clear()
        _listed.extend(waiting())
    taken: list[Entry] = []
    size = 0
    while _listed and len(taken) < most:
        entry = _entry(_listed[0])
        if entry is not None and taken and size + entry.size > most_bytes:
            break
        _listed.popleft()
        if entry is not None:
            taken.append(entry)
            size += entry.size
    return taken


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
    size = _size_of(path)
    _log(path, why)
    try:
        path.rename(path.with_suffix(".bad"))
    except OSError as exc:
        _log(path, exc)
    else:
        _forget_file(size or 0)


def _log(path: Path, why: Exception) -> None:
    logger.error("A spooled delivery cannot be read.", extra={
        "entry": path.name, "reason": f"{type(why).__name__}: {why}"})


def put_back(entries: Sequence[Entry]) -> None:
    """What was taken and could not be stored comes first again."""
    _listed.extendleft(entry.path for entry in reversed(entries))


def remove(entry: Entry) -> None:
    """Forget a delivery that is stored."""
    entry.path.unlink(missing_ok=True)
    _forget_file(entry.size)
