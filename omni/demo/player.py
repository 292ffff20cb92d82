"""Plays the recorded day: every line as a POST to the front door, at its time on the clock."""

import heapq
import itertools
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from connections.http.client import Client
from omni.demo import whatsapp
from omni.demo.instances import Part
from omni.demo.script import Line, Request, Turn
from omni.errors import Unavailable

logger = logging.getLogger("omni.demo")
DELIVERED_AFTER, READ_AFTER = 1.0, 4.0  # seconds after we sent something
LINGER_SECONDS = 8.0  # after the last line, for answers that are still on their way
PATIENCE_SECONDS = 60.0  # how long a line waits for a server that is not there
PAUSE_SECONDS = 1.0
_FILES_KEPT = 100
Work = Callable[[], Request]


class Player:
    """One player of one or more days. parts: what happens, with each instance's credentials.

    url: where the front door is. speed: how much faster than the clock. say: told what was played.
    """

    def __init__(self, parts: Iterable[tuple[Part, dict[str, Any]]], *, url: str, speed: float,
                 say: Callable[[str], None]) -> None:
        self._parts = list(parts)
        self._speed, self._say = speed, say
        self._client = Client(url, timeout=30.0)
        self._due: list[tuple[float, int, Work]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._files: dict[str, bytes] = {}
        self._turn: Turn | None = None
        self.last_sent: Callable[[str], str | None] = lambda chat: None
        self.answers: Counter[int] = Counter()  # status -> deliveries

    def files(self) -> dict[str, bytes]:
        """Files that are had on request, by message id."""
        return self._files

    def sent(self, chat: str, message_id: str) -> None:
        """Somebody sent a message: it is delivered after a moment, and read in a direct chat."""
        turn = self._turn
        if turn is None:
            return
        statuses = [("DELIVERY_ACK", DELIVERED_AFTER)]
        if not chat.endswith("@g.us"):
            statuses.append(("READ", READ_AFTER))
        secret = turn.credentials[whatsapp.SLUG]["webhook_secret"]
        for status, seconds in statuses:
            self._later(time.monotonic() + seconds, partial(
                whatsapp.status_update, message_id, chat=chat, status=status, turn=turn,
                secret=secret))

    def play(self, *, once: bool) -> None:
        """Play the day, and again with fresh ids unless `once`."""
        for number in itertools.count(1):
            before = self.answers.total()
            self._play_day()
            if once:
                self._work_until(time.monotonic() + LINGER_SECONDS)
            told = ", ".join(f"{count} x {status}" for status, count in sorted(
                self.answers.items()))
            self._say(f"Demo day {number}: {self.answers.total() - before} deliveries; answers so "
                      f"far: {told}.")
            if once:
                return

    def _play_day(self) -> None:
        turn = self._turn = Turn(
            tag=secrets.token_hex(8), now=lambda: datetime.now(UTC), last_sent=self.last_sent,
            credentials={part.SLUG: credentials for part, credentials in self._parts},
            kept={"files": self._files})
        while len(self._files) > _FILES_KEPT:
            del self._files[next(iter(self._files))]
        start = end = time.monotonic()
        for part, _ in self._parts:
            for line in part.LINES:
                due = start + line.at / self._speed
                end = max(end, due)
                self._later(due, partial(_request, part, line, turn))
        self._work_until(end)

    def _later(self, due: float, work: Work) -> None:
        with self._changed:
            heapq.heappush(self._due, (due, next(self._numbers), work))
            self._changed.notify()

    def _work_until(self, end: float) -> None:
        """Send whatever is due up to that moment of the clock, and wait for it."""
        while True:
            with self._changed:
                due = self._due[0][0] if self._due else end
                if min(due, end) > time.monotonic():
                    self._changed.wait(min(due, end) - time.monotonic())
                    continue
                if due > end or not self._due:
                    return
                work = heapq.heappop(self._due)[2]
            self._post(work())

    def _post(self, request: Request) -> None:
        """Send one delivery; a server that is away or busy is waited for, as a provider would."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status = self._client.request(
                    "POST", f"/webhooks/{request.provider}/{request.slug}", content=request.body,
                    headers=request.headers).status
                if status != 503:
                    self.answers[status] += 1
                    return
                reason = "503"
            except Unavailable as exc:
                reason = exc.message
            if time.monotonic() > deadline:
                logger.warning("Demo delivery given up.", extra={"instance": request.slug,
                                                                 "reason": reason})
                return
            time.sleep(PAUSE_SECONDS)


def _request(part: Part, line: Line, turn: Turn) -> Request:
    """The POST of a line; `again` is an earlier one, byte for byte."""
    sent = turn.kept.setdefault("sent", {})
    if line.kind == "again":
        return sent[part.SLUG, line.facts["about"]]
    request = part.request(line, turn)
    if "ref" in line.facts:
        sent[part.SLUG, line.facts["ref"]] = request
    return request
