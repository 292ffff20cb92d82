"""Files that are there after a power cut: whole under their name, or not at all."""

import os
import tempfile
from pathlib import Path

from omni import failpoints


def write(path: Path, data: bytes, *, failpoint: str = "") -> None:
    """Write a file under a temporary name, sync it, rename it, and sync its folder.

    Makes the folder, for its owner only. failpoint: prefix of the points `.tmp` and `.renamed`.
    Raises OSError; nothing is left then.
    """
    make_folder(path.parent)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        failpoints.hit(f"{failpoint}.tmp")
        os.replace(draft, path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    failpoints.hit(f"{failpoint}.renamed")


def make_folder(path: Path) -> None:
    """A folder that is there after a power cut as well."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """A file's name is kept in its folder, which needs a sync of its own. Source: fsync(2)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
