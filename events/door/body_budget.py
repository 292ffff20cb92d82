"""How many bytes of bodies this process holds at once, from the first one read to the commit."""

import threading
from concurrent.futures import Future
from typing import Any, Self

from django.conf import settings

SMALL_BYTES = 256 * 1024
_LARGE_SHARE = 0.75  # of the budget: large bodies never take what small ones need


class Budget:
    """One for all deliveries of the process."""

    def __init__(self) -> None:
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes in flight."""
        return self._held

    def share(self) -> "Share":
        """An empty share, for one delivery."""
        return Share(self)

    def _move(self, size: int, *, limit: float) -> bool:
        with self._lock:
            if size > 0 and self._held + size > limit:
                return False
            self._held += size
            return True


class Share:
    """What one delivery takes of the budget; `release` gives it back, once.

    In a `with` block it is given back at the end, unless it was handed on by `until`.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0
        self._is_handed_on = False
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_handed_on:
            self.release()

    def until(self, answer: "Future[Any]") -> "Future[Any]":
        """`answer`, whose end gives the share back."""
        self._is_handed_on = True
        answer.add_done_callback(lambda _: self.release())
        return answer

    def has_room(self, size: int) -> bool:
        """Whether a body of `size` bytes would fit now."""
        return self._budget.held + size <= most_at_once(size)

    def take(self, size: int) -> bool:
        """Take `size` bytes more; False when they do not fit, or the share was given back."""
        with self._lock:
            if self._is_over or not self._budget._move(size, limit=most_at_once(self._size + size)):
                return False
            self._size += size
            return True

    def release(self) -> None:
        with self._lock:  # a thread may still be opening the body of a door that has left
            self._is_over = True
            size, self._size = self._size, 0
        self._budget._move(-size, limit=0)


def most_at_once(size: int) -> float:
    """Bytes that may be in flight together with a body of `size`."""
    return settings.OMNI_DOOR_BYTES_IN_FLIGHT * (1 if size <= SMALL_BYTES else _LARGE_SHARE)


budget = Budget()
