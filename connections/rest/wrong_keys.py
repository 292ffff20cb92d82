"""A brake on guessing API keys: of one address so many wrong ones a minute are looked up.

Counted in the memory of each web process, so that it costs no statement. A key that was right here
once is looked up however many others guess at its address; what is kept of it is its hash.
"""

import threading
import time

from connections.access import ApiKey, digest
from omni.errors import RateLimited
from omni.recent import Recent
from omni.web import peer

SECONDS = 60.0
FREE = 30  # wrong keys of an address in SECONDS
FREE_OF_NETWORK = 300  # of all addresses of a line, and of a proxy that does not say who they are
_MOST = 50_000


class KeyBrake:
    def __init__(self) -> None:
        self._wrong: Recent[str, tuple[float, int]] = Recent(_MOST)  # since when, how many
        self._right: Recent[str, None] = Recent(_MOST)
        self._lock = threading.Lock()

    def find(self, text: str, *, sender: str) -> ApiKey | None:
        """The live key of a text; None when it is none.

        sender: as `omni.web.peer.peer_of` gives it. Raises RateLimited, before anything is looked
        up, when too many of the sender's were wrong.
        """
        limits, hashed = _limits(sender), digest(text)
        if hashed not in self._right and (wait := self._wait(limits)):
            raise RateLimited("too many wrong API keys came from your address", retry_after=wait)
        key = ApiKey.find(text)
        if key is not None:
            self._right.keep(hashed, None)
        else:
            self._right.drop([hashed])
            self._count(limits)
        return key

    def forget(self) -> None:
        """Begin at nothing."""
        self._wrong.clear()
        self._right.clear()

    def _wait(self, limits: dict[str, int]) -> float:
        """Seconds until a key of these is looked up again, 0 for at once."""
        now = time.monotonic()
        over = [since + SECONDS - now for name, most in limits.items()
                for since, tries in [self._wrong.get(name) or (now, 0)] if tries >= most]
        return max(0.0, *over) if over else 0.0

    def _count(self, limits: dict[str, int]) -> None:
        now = time.monotonic()
        with self._lock:
            for name in limits:
                since, tries = self._wrong.get(name) or (now, 0)
                if now - since >= SECONDS:
                    since, tries = now, 0
                self._wrong.keep(name, (since, tries + 1))


def _limits(sender: str) -> dict[str, int]:
    """Name -> how many wrong keys are free, of what a try of this sender counts for."""
    if peer.is_ours(sender) or not peer.network_of(sender):
        return {"nobody": FREE_OF_NETWORK}
    return {peer.network_of(sender): FREE,
            f"line {peer.network_of(sender, peer.NETWORK)}": FREE_OF_NETWORK}


brake = KeyBrake()
