"""The form of a recorded day: lines in the order of the clock, without a provider's words. Pure."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OPENS = "08:00:00"  # the clock of every recorded day starts here


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery. at: seconds after the day's start. who: a name of the part's own cast.

    kind: a word the part knows. facts: what that kind needs; `ref` names the line for later ones.
    """

    at: float
    who: str
    kind: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One POST to an instance's webhook address."""

    provider: str
    slug: str
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Turn:
    """One playing of the day: fresh ids, the time as it is now, the instances' credentials.

    last_sent: the id of the last message we sent into a chat. kept: what a part remembers.
    """

    tag: str
    now: Callable[[], datetime]
    credentials: dict[str, dict[str, Any]]
    last_sent: Callable[[str], str | None] = lambda chat: None
    kept: dict[str, Any] = field(default_factory=dict)

    def id_of(self, ref: str) -> str:
        """20 hex digits that name `ref` in this turn and in no other."""
        return hashlib.sha256(f"{self.tag}:{ref}".encode()).hexdigest()[:20].upper()


def line(at: str, who: str, kind: str, **facts: Any) -> Line:
    """A line at `HH:MM:SS`."""
    return Line(_seconds(at) - _seconds(OPENS), who, kind, facts)


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
