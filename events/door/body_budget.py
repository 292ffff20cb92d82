"""How many bytes of bodies this process holds at once, from the first one read to the commit.

Large bodies leave room for small ones; large ones whose sender has proven nothing yet leave room
for proven ones, and those at one account leave room for those at another.
"""

import threading
from concurrent.futures import Future
from typing import Any, Self

from django.conf import settings

SMALL_BYTES = 256 * 1024
_LARGE_SHARE = 0.75  # of the budget: large bodies never take what small ones need
_UNPROVEN_SHARE, _UNPROVEN_SHARE_OF_ONE = 0.5, 0.25  # of the budget: altogether, at one account


class Budget:
    """One for all deliveries of the process. Its lock is held for a few additions only."""

    def __init__(self) -> None:
        self._held = 0
        self._unproven = 0  # bytes of large bodies that are not proven yet
        self._unproven_of: dict[str, int] = {}  # the same by account, of those that have some
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes in flight."""
        return self._held

    @property
    def unproven(self) -> int:
        """Those of large bodies that are not proven yet."""
        return self._unproven

    def share(self, *, unproven_of: str = "") -> "Share":
        """An empty share, for one delivery. unproven_of: the account it has still to be proven to,
        "" when the head proved it.
        """
        return Share(self, unproven_of)

    def _fits(self, share: "Share", size: int) -> bool:
        """Whether `size` bytes more of a share fit. A body that is the only unproven one is not
        bound by what unproven ones may hold, or it could be refused for ever.
        """
        after = share._size + size
        if self._held + size > most_at_once(after):
            return False
        if not share._unproven_of or after <= SMALL_BYTES:
            return True
        others = self._unproven - share._counted
        of_account = self._unproven_of.get(share._unproven_of, 0) - share._counted
        most = settings.OMNI_DOOR_BYTES_IN_FLIGHT
        return not (others and others + after > _UNPROVEN_SHARE * most
                    or of_account and of_account + after > _UNPROVEN_SHARE_OF_ONE * most)

    def _count(self, share: "Share", unproven: int) -> None:
        """Have a share stand for so many bytes of unproven large bodies."""
        more, whose = unproven - share._counted, share._unproven_of
        if not more:
            return
        share._counted = unproven
        self._unproven += more
        left = self._unproven_of.get(whose, 0) + more
        if left:
            self._unproven_of[whose] = left
        else:
            del self._unproven_of[whose]


class Share:
    """What one delivery takes of the budget; `release` gives it back, once.

    In a `with` block it is given back at the end, unless it was handed on by `until`.
    """

    def __init__(self, budget: Budget, unproven_of: str) -> None:
        self._budget = budget
        self._unproven_of = unproven_of
        self._size = 0
        self._counted = 0  # of the bytes of unproven large bodies
        self._is_handed_on = False
        self._is_over = False

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
        with self._budget._lock:
            return self._budget._fits(self, size)

    def take(self, size: int) -> bool:
        """Take `size` bytes more; False when they do not fit, or the share was given back."""
        budget = self._budget
        with budget._lock:
            if self._is_over or (size and not budget._fits(self, size)):
                return False
            self._size += size
            budget._held += size
            if self._unproven_of and self._size > SMALL_BYTES:
                budget._count(self, self._size)
            return True

    def proven(self) -> None:
        """From here on it counts as what a known sender sent."""
        if not self._unproven_of:
            return
        with self._budget._lock:
            self._budget._count(self, 0)
            self._unproven_of = ""

    def release(self) -> None:
        with self._budget._lock:  # a thread may still be opening the body of a door that has left
            self._is_over = True
            self._budget._count(self, 0)
            self._budget._held -= self._size
            self._size = 0


def most_at_once(size: int) -> float:
    """Bytes that may be in flight together with a body of `size`."""
    return settings.OMNI_DOOR_BYTES_IN_FLIGHT * (1 if size <= SMALL_BYTES else _LARGE_SHARE)


budget = Budget()
