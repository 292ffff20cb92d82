"""A socket that follows the live feed: what the events socket and the chat socket share."""

import asyncio

from events.live.feed import feed
from events.live.sockets import Socket
from events.live.subscriptions import Batch, Filter, Subscription

BEAT_SECONDS = 20.0
READY_SECONDS = 10.0
TRY_AGAIN_LATER = 1013  # RFC 6455, registry of close codes


class FeedSocket(Socket):
    """Subclasses write `on_batch`."""

    subscription: Subscription | None = None

    @property
    def followed(self) -> Subscription:
        """The subscription that `follow` made."""
        if self.subscription is None:
            raise LookupError("this socket follows nothing yet")
        return self.subscription

    async def on_batch(self, batch: Batch) -> None:
        raise NotImplementedError(f"{type(self).__name__} must say what it shows of a batch")

    async def follow(self, wanted: Filter) -> bool:
        """Subscribe, and wait until nothing can be missed. False when the database is away."""
        self.subscription = feed().subscribe(wanted)
        try:
            await asyncio.wait_for(feed().ready.wait(), READY_SECONDS)
        except TimeoutError:
            await self.end(TRY_AGAIN_LATER, "unavailable", "the live feed is not available")
            return False
        return True

    def want(self, wanted: Filter) -> None:
        """Follow something else from now on."""
        feed().change(self.followed, wanted)

    def pump(self) -> None:
        """Begin to show batches; a beat says that the socket lives when there are none."""
        self.background(self._pump())

    async def _pump(self) -> None:
        while True:
            try:
                batch = await asyncio.wait_for(self.followed.next(), BEAT_SECONDS)
            except TimeoutError:
                await self.say({"type": "beat"})
                continue
            if self.followed.takes(batch):
                await self.on_batch(batch)

    async def leave(self) -> None:
        if self.subscription is not None:
            feed().unsubscribe(self.subscription)
