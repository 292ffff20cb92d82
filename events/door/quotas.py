"""How much guests may send, asked before anything of theirs is stored.

Counted in the memory of each web process, so that it costs no statement: with several of them each
allows the whole quota, and a new process begins at nothing. A delivery that is refused counts for
nobody, so that one visitor's flood takes nothing from the others.

A day of all visitors together, and of one network, flows: what was used comes back evenly over a
day, so that a quota used up by a flood is a wait of seconds and not of the rest of the day.
"""

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from connections.adapter import Answer
from connections.guests import Guest, Limits, Quota
from omni.web.peer import NETWORK, network_of

_MINUTE, _DAY = 60.0, 86_400.0
_SHARE = 10  # part of the instance's quota that one network may take
_KEPT = 5  # part of the instance's day kept for visitors who have written today
_FLOWING = {"network", "instance", "known"}  # whose day comes back evenly
_MOST = 50_000  # counted names of one kind; the one not seen for longest is forgotten
# Typing marks are not stored, but each is a NOTIFY.
_SIGNALS = {"visitor": Quota(messages_per_minute=120), "address": Quota(messages_per_minute=600)}


@dataclass(slots=True)
class _Window:
    """What one name has sent since `start` (monotonic seconds)."""

    start: float
    messages: float = 0
    size: float = 0

    def flow(self, bound: "_Bound", now: float) -> None:
        """Give back what has come free since it was last looked at."""
        part = (now - self.start) / bound.seconds
        self.messages = max(0.0, self.messages - part * bound.messages)
        self.size = max(0.0, self.size - part * bound.size)
        self.start = now

    def wait(self, bound: "_Bound", *, size: int, flowing: bool, now: float) -> float:
        """Seconds until a delivery of `size` bytes fits, 0 when it does."""
        over = max(_over(self.messages + 1, bound.messages), _over(self.size + size, bound.size))
        if over <= 0:
            return 0.0
        return over * bound.seconds if flowing else self.start + bound.seconds - now


@dataclass(frozen=True, slots=True)
class _Bound:
    """What may come in so many seconds; 0 is no limit."""

    seconds: float
    messages: int
    size: int

    def part(self, numerator: int, denominator: int) -> "_Bound":
        return _Bound(self.seconds, -(-self.messages * numerator // denominator),
                      -(-self.size * numerator // denominator))

    def at_least(self, other: "_Bound") -> "_Bound":
        return _Bound(self.seconds, _looser(self.messages, other.messages),
                      _looser(self.size, other.size))


def _over(used: float, most: int) -> float:
    return (used - most) / most if most else 0.0


def _looser(one: int, other: int) -> int:
    return max(one, other) if one and other else 0


def _bounds(quota: Quota) -> tuple[_Bound, _Bound]:
    return (_Bound(_MINUTE, quota.messages_per_minute, quota.bytes_per_minute),
            _Bound(_DAY, quota.messages_per_day, quota.bytes_per_day))


@lru_cache(maxsize=256)
def _bounds_of(limits: Limits) -> dict[str, tuple[_Bound, ...]]:
    """The bounds of each kind of name.

    A network has a share of the instance's, never less than one address of it. The instance's day
    has a part for everybody and a rest for known visitors.
    """
    address, (minute, day) = _bounds(limits.address), _bounds(limits.instance)
    network = tuple(all_.part(1, _SHARE).at_least(one)
                    for all_, one in zip((minute, day), address, strict=True))
    everybody = day.part(_KEPT - 1, _KEPT)
    return {"visitor": _bounds(limits.visitor), "address": address, "network": network,
            "instance": (minute, everybody),
            "known": (_Bound(_DAY, day.messages // _KEPT, day.size // _KEPT),)}


class Quotas:
    def __init__(self) -> None:
        self._used: dict[str, OrderedDict[tuple, _Window]] = {}
        self._lock = threading.Lock()

    def refusal(self, guest: Guest, *, instance_id: int, peer: str, size: int,
                now: float | None = None) -> Answer | None:
        """Count a delivery of a guest, or say why not: 429 with the seconds to wait.

        peer: network address, "" where it is not known. size: bytes. now: monotonic seconds.
        """
        now = time.monotonic() if now is None else now
        names = {"visitor": guest.name, "address": network_of(peer),
                 "network": network_of(peer, NETWORK), "instance": "all"}
        bounds = _bounds_of(guest.limits) if not guest.signal else {
            kind: _bounds(quota) for kind, quota in _SIGNALS.items()}
        windows: list[_Window] = []
        known = False
        with self._lock:
            for kind, name in names.items():
                if not name or kind not in bounds:
                    continue
                key = (instance_id, bool(guest.signal), name)
                for bound in bounds[kind]:
                    window, wait = self._look(kind, key, bound, size=size, now=now)
                    if wait and known and (kind, bound.seconds) == ("instance", _DAY):
                        kept = bounds["known"][0]
                        window, other = self._look("known", key, kept, size=size, now=now)
                        wait = other and min(wait, other)
                    if wait:
                        return _too_much(kind, wait)
                    known = known or (kind == "visitor" and window.messages > 0)
                    windows.append(window)
            for window in windows:
                window.messages += 1
                window.size += size
        return None

    def _look(self, kind: str, key: tuple, bound: _Bound, *, size: int,
              now: float) -> tuple[_Window, float]:
        """The window of a name, and the seconds until a delivery fits into it."""
        flowing = kind in _FLOWING and bound.seconds == _DAY
        window = self._window(kind, (*key, bound.seconds), seconds=bound.seconds, now=now)
        if flowing:
            window.flow(bound, now)
        return window, window.wait(bound, size=size, flowing=flowing, now=now)

    def _window(self, kind: str, key: tuple, *, seconds: float, now: float) -> _Window:
        used = self._used.setdefault(kind, OrderedDict())
        window = used.pop(key, None)
        if window is None or now - window.start >= seconds:
            window = _Window(now)
        used[key] = window
        if len(used) > _MOST:
            used.popitem(last=False)
        return window

    def forget(self) -> None:
        """Begin at nothing."""
        with self._lock:
            self._used.clear()


_WHO = {"visitor": "You have sent too much", "address": "Too much came from your network",
        "network": "Too much came from your network",
        "instance": "This chat is very busy"}


def _too_much(kind: str, wait: float) -> Answer:
    seconds = max(1, math.ceil(wait))
    return Answer(429, {"error": {
        "code": "too_many", "message": f"{_WHO[kind]}. Try again in {_in_words(seconds)}."}},
        {"Retry-After": str(seconds)})


def _in_words(seconds: int) -> str:
    for size, word in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = math.ceil(seconds / size)
            return f"{number} {word}{'s' if number > 1 else ''}"
    return "a second"


quotas = Quotas()
