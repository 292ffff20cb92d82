"""How much guests may send, asked before anything of theirs is stored.

Counted in the memory of each web process, so that it costs no statement: with several of them each
allows the whole quota, and a new process begins at nothing. A delivery that is refused counts for
nobody, so that one visitor's flood takes nothing from the others.
"""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from connections.adapter import Answer
from connections.guests import Guest, Quota

_MINUTE, _DAY = 60.0, 86_400.0
_MOST = 50_000  # counted names of one kind; the one not seen for longest is forgotten
_PREFIX = 64  # bits of an IPv6 address that name a household
# Typing marks are not stored, but each is a NOTIFY.
_SIGNALS = {"visitor": Quota(messages_per_minute=120), "address": Quota(messages_per_minute=600)}


@dataclass(slots=True)
class _Window:
    """What one name has sent since `start` (monotonic seconds)."""

    start: float
    messages: int = 0
    size: int = 0


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
        names = {"visitor": guest.name, "address": network_of(peer), "instance": "all"}
        windows: list[_Window] = []
        with self._lock:
            for kind, name in names.items():
                quota = _SIGNALS.get(kind) if guest.signal else getattr(guest.limits, kind)
                if not name or quota is None:
                    continue
                key = (instance_id, bool(guest.signal), name)
                for seconds, messages, most in (
                        (_MINUTE, quota.messages_per_minute, quota.bytes_per_minute),
                        (_DAY, quota.messages_per_day, quota.bytes_per_day)):
                    window = self._window(kind, (*key, seconds), seconds=seconds, now=now)
                    if ((messages and window.messages + 1 > messages)
                            or (most and window.size + size > most)):
                        return _too_much(kind, window.start + seconds - now)
                    windows.append(window)
            for window in windows:
                window.messages += 1
                window.size += size
        return None

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


def network_of(peer: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one; "" for neither."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _PREFIX), strict=False))
    return str(address)


quotas = Quotas()
