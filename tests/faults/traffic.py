"""A sender that, like a provider, repeats what was not acknowledged; and what came of it all."""

import random
import threading
from collections import Counter
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from tests.faults.system import System, unique, until

ENDED = ("done", "ignored", "failed", "dead", "canceled")
PEOPLE = 20
SENDERS = 4
PACE_SECONDS = 0.03  # between two deliveries of one sender, so that a kill falls in between


class Traffic:
    """Distinct texts of some people, each delivered twice, in any order. tag: how they begin."""

    def __init__(self, system: System, *, messages: int = 120, tag: str = "") -> None:
        self.system = system
        self.tag = tag or unique("T")
        self.ids = [f"{self.tag}-{number}" for number in range(messages)]
        self.acknowledged: set[str] = set()
        self._waiting: SimpleQueue[tuple[int, str]] = SimpleQueue()
        numbers = [*range(messages)] * 2
        random.Random(7).shuffle(numbers)
        for number in numbers:
            self._waiting.put((number % PEOPLE, self.ids[number]))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            try:
                person, message_id = self._waiting.get_nowait()
            except Empty:
                return
            while not 200 <= self.system.post(message_id, person=person) < 300:
                if self._stop.wait(0.1):
                    return
            self.acknowledged.add(message_id)
            self._stop.wait(PACE_SECONDS)

    def finish(self, *, seconds: float = 60.0) -> None:
        """Wait until everything is acknowledged and all of its runs have ended."""
        try:
            until(lambda: len(self.acknowledged) == len(self.ids), seconds=seconds,
                  what="every message is acknowledged")
            until(self._all_ended, seconds=seconds, what="every run has ended")
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(35)

    def _all_ended(self) -> bool:
        entries = ledger(self.system, self.tag).values()
        return len(entries) == len(self.ids) and all(one.ended for one in entries)


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one message id: rows of events, its runs' states, its sends' states."""

    events: int
    runs: list[str]
    outbox: list[str]

    @property
    def ended(self) -> bool:
        return bool(self.runs) and all(state in ENDED for state in self.runs)


_LEDGER = """
SELECT e.provider_message_id, count(DISTINCT e.id),
       coalesce(array_agg(DISTINCT r.id || ':' || r.state) FILTER (WHERE r.id IS NOT NULL), '{}'),
       coalesce(array_agg(DISTINCT o.id || ':' || o.state) FILTER (WHERE o.id IS NOT NULL), '{}')
FROM omni_events e LEFT JOIN omni_runs r ON r.event_id = e.id
     LEFT JOIN omni_outbox o ON o.run_id = r.id
WHERE e.direction = 'inbound' AND starts_with(e.provider_message_id, %s)
GROUP BY e.provider_message_id
"""


def ledger(system: System, tag: str) -> dict[str, Entry]:
    """Message id -> what became of it, for the ids that begin with `tag`."""
    return {message_id: Entry(events, _states(runs), _states(outbox))
            for message_id, events, runs, outbox in system.rows(_LEDGER, tag)}


def sends(system: System, tag: str) -> Counter[str]:
    """How often the peer was asked to send the answer to each message."""
    return Counter({text: count for text, count in system.peer.replies().items()
                    if text.startswith(tag)})


def _states(rows: list[str]) -> list[str]:
    return [row.partition(":")[2] for row in rows]
