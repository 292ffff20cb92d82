"""How far the feed has surely come. Ids become visible out of order: one that was taken early may
be committed late. Pure.
"""

import time
from collections import deque
from collections.abc import Iterable

SETTLE_SECONDS = 2.0  # an id is taken a moment before its transaction shows
PATIENCE_SECONDS = 60.0  # how long one open transaction may hold the floor down


class Floor:
    """id: no event up to it can appear any more. seen: ids above it that were handed out."""

    def __init__(self) -> None:
        self.id = 0
        self.seen: set[int] = set()
        self._horizons: deque[tuple[int, int, float]] = deque()  # top id, newest transaction, when

    def start(self, newest: list[int]) -> None:
        """Begin below the newest events, which count as seen."""
        self.id = min(newest) - 1 if newest else 0
        self.seen = set(newest)
        self._horizons.clear()

    def saw(self, ids: Iterable[int]) -> None:
        self.seen.update(ids)

    def lift(self, *, oldest: int, newest: int) -> None:
        """Give up looking below an id once no open transaction can still show a lower one.

        oldest, newest: the transactions that were open when everything seen was read.
        """
        now = time.monotonic()
        top = max(self.seen, default=self.id)
        if top > (self._horizons[-1][0] if self._horizons else self.id):
            self._horizons.append((top, newest, now))
        before = self.id
        while self._horizons:
            top, seen_with, since = self._horizons[0]
            settled = seen_with <= oldest and now - since >= SETTLE_SECONDS
            if not settled and now - since < PATIENCE_SECONDS:
                break
            self.id = max(self.id, top)
            self._horizons.popleft()
        if self.id != before:
            self.seen = {seen for seen in self.seen if seen > self.id}
