"""The live feed: one LISTEN connection per web process, new rows read once and given to every
socket that wants them.

A notification is only a hint; what counts is what the table holds. Ids become visible out of
order, so the feed keeps a floor below which nothing can appear any more, and looks at everything
above it again.

Only what its `Audience` wants is read. While somebody wants runs, the feed's connection holds a
lock that tells the workers so (`notify.HEARD`); what changes until they know, it reads by itself.
"""

import asyncio
import json
import logging
import time
from collections.abc import Collection
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from events.live import feedrows
from events.live.audience import Audience
from events.live.floor import Floor
from events.live.subscriptions import Filter, Item, Signal, Subscription
from events.store.notify import EVENTS, HEARD, HEARD_SECONDS, RUNS, SIGNALS

logger = logging.getLogger("omni.feed")
COALESCE_SECONDS = 0.05
CATCH_UP_SECONDS = 5.0  # a look without a hint, in case one was lost
OVERLAP = 200  # ids below the newest that are looked at again at the start
RUNS_PER_LOOK = 200
RETRY_SECONDS = (0.5, 10.0)
_NOT_LIBPQ = ("cursor_factory", "context", "prepare_threshold")


class Feed:
    """Follows the store for one event loop; runs while somebody is subscribed."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.ready = asyncio.Event()
        self._runs: set[int] = set()
        self._signals: list[Signal] = []
        self.audience = Audience()
        self._tells = False  # the workers, that somebody wants runs
        self._task: asyncio.Task | None = None
        self._hearing: asyncio.Task | None = None
        self._looked_at = time.monotonic()
        self._due = 0.0  # monotonic time of the next look without a hint

    def subscribe(self, wanted: Filter) -> Subscription:
        """A queue of what comes from now on. Give it back with `unsubscribe`."""
        subscription = Subscription(wanted, after=self.floor.id)
        self.audience.add(subscription)
        self._stir()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="feed")
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self.audience.discard(subscription)
        if self.audience:
            self._stir()
        else:
            self.stop()

    def change(self, subscription: Subscription, wanted: Filter) -> None:
        """Give a subscriber another filter, for what is handed out from now on."""
        self.audience.discard(subscription)
        subscription.wanted = wanted
        self.audience.add(subscription)
        self._stir()

    def _stir(self) -> None:
        """Let the workers know at once when the first wants runs, or the last no more."""
        if self._hearing is not None and self._tells != self.audience.interest.takes_runs:
            self._hearing.cancel()

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
                    self._tells = False
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
            self.floor.start(ids)
            self._looked_at = time.monotonic()
            for subscription in self.audience:
                subscription.after = self.floor.id
        await self._look(db, catch_up=True)
        self.ready.set()

    async def _follow(self, db: psycopg.AsyncConnection) -> None:
        while True:
            while self._tells != self.audience.interest.takes_runs:
                await self._tell(db)
            heard = await self._hear(db)
            if heard:
                await asyncio.sleep(COALESCE_SECONDS)
            due = time.monotonic() >= self._due
            if due or EVENTS in heard:
                await self._look(db, catch_up=due)
            else:
                await self._show(db)

    async def _tell(self, db: psycopg.AsyncConnection) -> None:
        """Hold the lock that makes the workers say which runs changed, or let it go."""
        wanted = self.audience.interest.takes_runs
        if wanted != self._tells:
            await db.execute("SELECT pg_advisory_lock_shared(%s)" if wanted else
                             "SELECT pg_advisory_unlock_shared(%s)", [HEARD])
        self._tells = wanted
        if wanted:  # what changes until they know is read then
            self._due = min(self._due, time.monotonic() + 2 * HEARD_SECONDS)

    async def _hear(self, db: psycopg.AsyncConnection) -> Collection[str]:
        """Channels that were named, as soon as one was; () when a look is due or `_stir` was
        called. A wait that is cut short loses no notice: libpq keeps it.
        """
        self._hearing = asyncio.create_task(self._notices(db))
        try:
            await asyncio.wait([self._hearing])
            return () if self._hearing.cancelled() else self._hearing.result()
        finally:
            hearing, self._hearing = self._hearing, None
            if hearing.cancel():
                await asyncio.wait([hearing])

    async def _notices(self, db: psycopg.AsyncConnection) -> Collection[str]:
        channels = set()
        async for notice in db.notifies(timeout=max(0.0, self._due - time.monotonic()),
                                        stop_after=1):
            channels.add(notice.channel)
            self._note(notice)
        return channels

    def _note(self, notice: psycopg.Notify) -> None:
        if notice.channel == RUNS and self.audience.interest.takes_runs:
            self._runs.update(int(part) for part in notice.payload.split(",") if part.isdigit())
        elif notice.channel == SIGNALS and (signal := _signal(notice.payload)):
            self._signals.append(signal)

    async def _look(self, db: psycopg.AsyncConnection, *, catch_up: bool) -> None:
        """Read what is new and hand it out, page by page until there is no more."""
        if catch_up:
            await self._catch_up(db)
        more = True
        while more:
            interest = self.audience.interest
            page = await feedrows.new_events(db, floor=self.floor.id, seen=self.floor.seen,
                                             wanted_of=interest.rows)
            late = self._wanted_meanwhile(page)
            items = [item for item in page.items if item.id not in late]
            self.floor.saw(item.id for item in items)
            if not page.full and not late:
                self.floor.lift(oldest=page.oldest, newest=page.newest)
            self.audience.hand_out(items, after=self.floor.id)
            more = page.full or bool(late)
        await self._show(db)

    async def _catch_up(self, db: psycopg.AsyncConnection) -> None:
        """Find the runs whose notice was lost, or never sent."""
        now = time.monotonic()
        since, self._looked_at = now - self._looked_at + CATCH_UP_SECONDS, now
        self._due = now + CATCH_UP_SECONDS
        if self.audience.interest.takes_runs:
            self._runs |= await feedrows.changed_runs(db, seconds=since)

    def _wanted_meanwhile(self, page: feedrows.Page) -> set[int]:
        """Events read without their text that a subscriber wants who came during the read.

        They are read again, so nobody may come between this and handing out the others.
        """
        interest = self.audience.interest
        return {item.id for item in page.items
                if item.id in page.bare and interest.takes_row(item.instance_id)}

    async def _show(self, db: psycopg.AsyncConnection) -> None:
        """Hand out the signals and the runs of which notice came."""
        signals, self._signals = self._signals, []
        self.audience.hand_out((), signals, after=self.floor.id)
        while self._runs:
            ids = [self._runs.pop() for _ in range(min(len(self._runs), RUNS_PER_LOOK))]
            self.audience.hand_out(await self._changed(db, ids), after=self.floor.id)

    async def _changed(self, db: psycopg.AsyncConnection, ids: list[int]) -> list[Item]:
        """Runs as they are now; read again when somebody came meanwhile who wants more of them."""
        while ids and (interest := self.audience.interest).takes_runs:
            found = await feedrows.runs(db, ids, wanted_of=interest.runs)
            if interest.covers_runs_of(self.audience.interest):
                return found
        return []


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
