"""The live feed: one LISTEN connection per web process, new rows read once and given to every
socket that wants them.

A notification is only a hint; what counts is what the table holds. Ids become visible out of order
(a transaction that began early may commit late), so the feed keeps a floor below which nothing can
appear any more, and looks at everything above it again.
"""

import asyncio
import json
import logging
import time
from collections import deque
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from events.live import feedrows
from events.live.subscriptions import Batch, Filter, Item, Signal, Subscription
from events.store.notify import EVENTS, RUNS, SIGNALS

logger = logging.getLogger("omni.feed")
COALESCE_SECONDS = 0.05
CATCH_UP_SECONDS = 5.0  # a look without a hint, in case one was lost
SETTLE_SECONDS = 2.0  # an id is taken a moment before its transaction shows
PATIENCE_SECONDS = 60.0  # how long one open transaction may hold the floor down
OVERLAP = 200  # ids below the newest that are looked at again at the start
RUNS_PER_LOOK = 200
RETRY_SECONDS = (0.5, 10.0)
_NOT_LIBPQ = ("cursor_factory", "context", "prepare_threshold")


class Feed:
    """Follows the store for one event loop; runs while somebody is subscribed."""

    def __init__(self) -> None:
        self.floor = 0
        self.ready = asyncio.Event()
        self._seen: set[int] = set()
        self._horizons: deque[tuple[int, int, float]] = deque()  # top id, newest transaction, when
        self._runs: set[int] = set()
        self._signals: list[Signal] = []
        self._subscriptions: set[Subscription] = set()
        self._task: asyncio.Task | None = None
        self._looked_at = time.monotonic()

    def subscribe(self, wanted: Filter) -> Subscription:
        """A queue of what comes from now on. Give it back with `unsubscribe`."""
        subscription = Subscription(wanted, after=self.floor)
        self._subscriptions.add(subscription)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="feed")
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self.stop()

    def stop(self) -> None:
        """Let the database go; the next subscriber starts anew."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.ready.clear()

    async def close(self) -> None:
        """Stop, and wait until the connection is closed."""
        if (task := self._task) is not None:
            self.stop()
            await asyncio.wait([task])

    async def _run(self) -> None:
        """Connect, follow, and connect again when the database went away."""
        first, most = RETRY_SECONDS
        delay = first
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**_parameters()) as db:
                    await self._start(db)
                    delay = first
                    await self._follow(db)
            except (psycopg.Error, OSError) as exc:
                logger.warning("The live feed lost the database; it tries again.",
                               extra={"error": type(exc).__name__, "delay_s": delay})
            except Exception:
                logger.exception("The live feed failed; it starts again.")
            await asyncio.sleep(delay)
            delay = min(delay * 2, most)

    async def _start(self, db: psycopg.AsyncConnection) -> None:
        await db.execute("SET TIME ZONE 'UTC'")
        for channel in (EVENTS, RUNS, SIGNALS):
            await db.execute(f"LISTEN {channel}")
        if not self.ready.is_set():
            ids = await feedrows.newest_ids(db, count=OVERLAP)
            self.floor = min(ids) - 1 if ids else 0
            self._seen = set(ids)
            self._horizons.clear()
            self._looked_at = time.monotonic()
            for subscription in self._subscriptions:
                subscription.after = self.floor
        await self._look(db, catch_up=True)
        self.ready.set()

    async def _follow(self, db: psycopg.AsyncConnection) -> None:
        while True:
            hinted = False
            async for notice in db.notifies(timeout=CATCH_UP_SECONDS, stop_after=1):
                hinted = True
                self._note(notice)
            if hinted:
                await asyncio.sleep(COALESCE_SECONDS)
            due = time.monotonic() - self._looked_at >= CATCH_UP_SECONDS
            await self._look(db, catch_up=due)

    def _note(self, notice: psycopg.Notify) -> None:
        if notice.channel == RUNS:
            self._runs.update(int(part) for part in notice.payload.split(",") if part.isdigit())
        elif notice.channel == SIGNALS and (signal := _signal(notice.payload)):
            self._signals.append(signal)

    async def _look(self, db: psycopg.AsyncConnection, *, catch_up: bool) -> None:
        """Read what is new and hand it out, page by page until there is no more."""
        if catch_up:
            since = time.monotonic() - self._looked_at + CATCH_UP_SECONDS
            self._looked_at = time.monotonic()
            self._runs |= await feedrows.changed_runs(db, seconds=since)
        more = True
        while more:
            page = await feedrows.new_events(db, floor=self.floor, seen=self._seen)
            self._seen.update(item.id for item in page.items)
            if not page.full:
                self._raise_floor(page)
            ids = [self._runs.pop() for _ in range(min(len(self._runs), RUNS_PER_LOOK))]
            changed = await feedrows.runs(db, ids) if ids else []
            signals, self._signals = self._signals, []
            self._hand_out([*page.items, *changed], signals)
            more = page.full or bool(self._runs)

    def _raise_floor(self, page: feedrows.Page) -> None:
        """Give up looking below an id once no open transaction can still show a lower one."""
        now = time.monotonic()
        top = max(self._seen, default=self.floor)
        if top > (self._horizons[-1][0] if self._horizons else self.floor):
            self._horizons.append((top, page.newest, now))
        before = self.floor
        while self._horizons:
            top, newest, since = self._horizons[0]
            settled = newest <= page.oldest and now - since >= SETTLE_SECONDS
            if not settled and now - since < PATIENCE_SECONDS:
                break
            self.floor = max(self.floor, top)
            self._horizons.popleft()
        if self.floor != before:
            self._seen = {seen for seen in self._seen if seen > self.floor}

    def _hand_out(self, items: list[Item], signals: list[Signal]) -> None:
        """Offer everybody their part; equal filters share one batch and its frame."""
        batches: dict[Filter, Batch] = {}
        for subscription in self._subscriptions:
            wanted = subscription.wanted
            if wanted not in batches:
                batches[wanted] = Batch(
                    after=self.floor, wanted=wanted,
                    items=[item for item in items if wanted.wants(item)],
                    signals=[signal for signal in signals if wanted.wants_signal(signal)])
            batch = batches[wanted]
            if batch.items or batch.signals:
                subscription.offer(batch)


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


def feed() -> Feed:
    """The feed of the running event loop."""
    return _feeds.setdefault(asyncio.get_running_loop(), Feed())


async def close() -> None:
    """Stop the feed of the running event loop, before the process ends."""
    if running := _feeds.get(asyncio.get_running_loop()):
        await running.close()


def _parameters() -> dict:
    """Django's own way to the database, for a connection of ours; never through a pool."""
    parameters = connection.get_connection_params()
    kept = {name: value for name, value in parameters.items() if name not in _NOT_LIBPQ}
    return {**kept, "autocommit": True}


def _signal(payload: str) -> Signal | None:
    try:
        data = json.loads(payload)
        return Signal(int(data["instance_id"]), str(data["to"]), str(data["state"]),
                      str(data.get("by", "")))
    except (KeyError, TypeError, ValueError):
        return None
