"""How much room the spool has left, known without listing its folder on a delivery's way.

A thread counts the folder when the process starts, and again when it seems to be full; whoever
writes waits for that a moment at most. In between each process counts what it writes and removes.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings

logger = logging.getLogger("omni.events")
_MOST_FILES = 100_000
_FREE_SHARE = 0.10  # of the disk that must stay free
_RECOUNT_SECONDS = 5.0  # a full spool is not listed for every delivery it refuses
_PATIENCE_SECONDS = 0.002  # of a delivery, for a count that is under way


class Room:
    """sizes_in: name and bytes of all that lies in a folder."""

    def __init__(self, sizes_in: Callable[[Path], Iterable[tuple[str, int]]]) -> None:
        self._sizes_in = sizes_in
        self._lock = threading.Lock()  # never held while the disk is asked
        self._place: Path | None = None
        self._forget()

    def _forget(self) -> None:
        self._files = self._size = 0
        self._counted_at: float | None = None  # monotonic
        self._counting: threading.Event | None = None  # set when the count under way has ended
        self._new: dict[str, int] = {}  # what was written while it is under way
        self._gone: dict[str, int] = {}

    def take(self, place: Path, name: str, size: int) -> None:
        """Count a file that is to be written. Raises OSError when it does not fit.

        Before the first count has ended a file fits as far as this process knows. Others may have
        emptied a full spool: it is counted anew before it refuses.
        """
        self._look(place, size)
        disk = shutil.disk_usage(place)
        if disk.free - size < disk.total * _FREE_SHARE:
            raise OSError("less than 10 % of the disk is free")
        with self._lock:
            if self._is_full(size):
                raise OSError(f"the spool is full ({self._files} files, {self._size} bytes)")
            self._files += 1
            self._size += size
            if self._counting is not None:
                self._new[name] = size

    def give_back(self, name: str, size: int) -> None:
        """A counted file is not there any more."""
        with self._lock:
            self._files = max(0, self._files - 1)
            self._size = max(0, self._size - size)
            if self._counting is not None:
                self._gone[name] = size

    def know(self, place: Path) -> None:
        """Have `place` counted, unless it was."""
        with self._lock:
            self._is_at(place)
            if self._counted_at is None:
                self._count_beside(place)

    def _look(self, place: Path, size: int) -> None:
        with self._lock:
            self._is_at(place)
            counted_at = self._counted_at
            if counted_at is not None and not (
                    self._is_full(size) and time.monotonic() - counted_at > _RECOUNT_SECONDS):
                return
            ended = self._count_beside(place)
        ended.wait(_PATIENCE_SECONDS)

    def _is_at(self, place: Path) -> None:
        if self._place != place:
            self._forget()
            self._place = place

    def _is_full(self, size: int) -> bool:
        return self._files >= _MOST_FILES or self._size + size > settings.OMNI_SPOOL_MAX_BYTES

    def _count_beside(self, place: Path) -> threading.Event:
        """Start counting, where nobody does; what is returned is set at the end."""
        if self._counting is None:
            self._counting = threading.Event()
            threading.Thread(target=self._count, args=[place, self._counting],
                             name="spool-count", daemon=True).start()
        return self._counting

    def _count(self, place: Path, ended: threading.Event) -> None:
        try:
            sizes = dict(self._sizes_in(place))
            size = sum(sizes.values())
            with self._lock:
                if self._counting is ended:
                    self._set(sizes, size)
        except OSError as exc:
            logger.error("The spool cannot be counted.", extra={"reason": str(exc)})
        finally:
            with self._lock:
                if self._counting is ended:
                    self._counting, self._new, self._gone = None, {}, {}
            ended.set()

    def _set(self, sizes: dict[str, int], size: int) -> None:
        """Files that came or went meanwhile were seen or were not; either way they count once."""
        unseen = {name: new for name, new in self._new.items() if name not in sizes}
        gone = [old for name, old in self._gone.items() if name in sizes or name in unseen]
        self._files = len(sizes) + len(unseen) - len(gone)
        self._size = size + sum(unseen.values()) - sum(gone)
        self._counted_at = time.monotonic()
