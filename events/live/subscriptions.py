"""What one socket wants of the live feed, and the bounded queue it is served through. Pure."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

QUEUE_MAX = 64  # batches waiting for one socket; more become a gap


@dataclass(frozen=True, slots=True)
class Item:
    """One event or run on its way to the sockets, already serialized.

    kind: event or run. id: of that row. conversation_ids: every row of the place of the event, one
    where nothing was merged. conversation_ref: of the event. text: "" where nobody wants the row.
    """

    kind: str
    id: int
    instance_id: int
    event_type: str
    direction: str
    conversation_ids: Sequence[int]
    conversation_ref: str
    text: str


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that is not stored: somebody types, somebody has read. `to`: conversation ref.

    by: the reference of who does it, "" for our side.
    """

    instance_id: int
    to: str
    state: str
    by: str = ""


@dataclass(frozen=True)
class Filter:
    """Which rows a subscriber gets. instance_ids: None is every instance.

    types: globs, any of them (none: every type). rows: False where it is enough to know which
    events there are, without what they say. Equal filters share one serialized frame.
    """

    instance_ids: frozenset[int] | None = None
    types: tuple[str, ...] = ()
    conversation_id: int | None = None
    conversation_ref: str = ""
    direction: str = ""
    rows: bool = True
    runs: bool = True
    signals: bool = False

    def wants(self, item: Item) -> bool:
        return (
            self._sees(item.instance_id)
            and (self.runs or item.kind == "event")
            and (not self.direction or item.direction == self.direction)
            and (self.conversation_id is None or self.conversation_id in item.conversation_ids)
            and (not self.conversation_ref or item.conversation_ref == self.conversation_ref)
            and (not self.types or any(fnmatchcase(item.event_type, glob) for glob in self.types)))

    def wants_signal(self, signal: Signal) -> bool:
        return (self.signals and self.conversation_id is None and self._sees(signal.instance_id)
                and self.conversation_ref in ("", signal.to))

    def _sees(self, instance_id: int) -> bool:
        return self.instance_ids is None or instance_id in self.instance_ids


@dataclass(slots=True)
class Batch:
    """What a subscriber gets at once. after: every event up to this id was offered before.

    gap: batches were dropped since `after`; read the events after it by REST.
    wanted: the filter its rows were chosen by; None for a gap.
    """

    after: int
    items: Sequence[Item] = ()
    signals: Sequence[Signal] = ()
    gap: bool = False
    wanted: Filter | None = None
    _frame: str = field(default="", repr=False)

    @property
    def frame(self) -> str:
        """The socket frame, built once for all subscribers that share the batch."""
        if not self._frame:
            self._frame = (json.dumps({"type": "gap", "after": self.after}) if self.gap
                           else feed_frame(self.items, after=self.after))
        return self._frame


def feed_frame(items: Sequence[Item], *, after: int) -> str:
    """{type: feed, after, events, runs} from rows that are serialized already."""
    events = ",".join(item.text for item in items if item.kind == "event")
    runs = ",".join(item.text for item in items if item.kind == "run")
    return f'{{"type":"feed","after":{after},"events":[{events}],"runs":[{runs}]}}'


class Subscription:
    """The bounded queue of one socket. A full one drops what comes and owes a gap notice."""

    def __init__(self, wanted: Filter, *, after: int, size: int = QUEUE_MAX) -> None:
        self.wanted = wanted
        self.after = after
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(size)
        self._lost = False

    def offer(self, batch: Batch) -> None:
        """Queue a batch, never waiting."""
        if self._lost:
            return
        try:
            self._queue.put_nowait(batch)
        except asyncio.QueueFull:
            self._lost = True

    async def next(self) -> Batch:
        """The next batch, or the gap notice once the queue has run dry after a loss.

        The notice names the last id that was surely delivered; rows after it may come twice.
        """
        if self._lost and self._queue.empty():
            self._lost = False
            return Batch(after=self.after, gap=True)
        return await self._queue.get()

    def takes(self, batch: Batch) -> bool:
        """Whether a batch of `next` may still be shown; it counts as delivered then.

        One that was chosen by an earlier filter is not, and becomes part of a gap.
        """
        if batch.wanted is not None and batch.wanted != self.wanted:
            self._lost = True
            return False
        self.after = batch.after
        return True
