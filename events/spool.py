"""A small bounded store of files for the time the database is away; off unless OMNI_SPOOL_DIR.

One file per delivery, written whole before it is acknowledged: temporary name, fsync, rename,
fsync of the folder. It holds what the archive would (verified, credentials blanked), is drained in
arrival order, and is deleted after its commit. Dedup keys make a second drain harmless.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from django.conf import settings

from events.archive import RawRow
from omni import failpoints

_MOST_FILES = 100_000
_FREE_SHARE = 0.10  # of the disk that must stay free
_RETRY_SECONDS = 2.0
_lock = threading.Lock()
_counter = 0
_last_try = 0.0


def enabled() -> bool:
    return bool(settings.OMNI_SPOOL_DIR)


def folder() -> Path:
    return Path(settings.OMNI_SPOOL_DIR)


def write(entry: bytes) -> Path:
    """Keep one delivery; returns when it is on disk. Raises OSError when there is no room."""
    global _counter
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_room(place, len(entry))
    with _lock:
        _counter += 1
        name = f"{time.time_ns():020d}-{os.getpid()}-{_counter:09d}"
    temporary, final = place / f".{name}.tmp", place / f"{name}.delivery"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(entry)
        file.flush()
        os.fsync(file.fileno())
    failpoints.hit("spool.tmp")
    temporary.rename(final)
    directory = os.open(place, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    failpoints.hit("spool.renamed")
    return final


def _check_room(place: Path, size: int) -> None:
    files = waiting(place)
    held = sum(path.stat().st_size for path in files)
    if len(files) >= _MOST_FILES or held + size > settings.OMNI_SPOOL_MAX_BYTES:
        raise OSError(f"the spool is full ({len(files)} files, {held} bytes)")
    disk = shutil.disk_usage(place)
    if disk.free - size < disk.total * _FREE_SHARE:
        raise OSError("less than 10 % of the disk is free")


def waiting(place: Path | None = None) -> list[Path]:
    """Spooled deliveries, oldest first."""
    place = place or folder()
    return sorted(place.glob("*.delivery")) if place.is_dir() else []


def due() -> bool:
    """Whether it is time to try the database again for what waits."""
    global _last_try
    if not enabled() or time.monotonic() - _last_try < _RETRY_SECONDS:
        return False
    _last_try = time.monotonic()
    return bool(waiting())


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


def entries() -> Iterator[tuple[Path, RawRow]]:
    """What waits, oldest first; a file that is no delivery is set aside under `.bad`."""
    for path in waiting():
        try:
            yield path, unpack(path.read_bytes())
        except FileNotFoundError:
            continue  # another process drained it
        except ValueError:
            path.rename(path.with_suffix(".bad"))
