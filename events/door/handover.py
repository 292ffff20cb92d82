"""Futures of other threads, awaited in an event loop that is woken once for all that end together.

asyncio's own bridge wakes the loop with a system call for each of them, and a writer answers a
batch at a time.
"""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

Result = TypeVar("Result")


class _Ended:
    """Futures that ended since their loop last looked, and who waits for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told: deque[asyncio.Future[None]] = deque()
        self._is_woken = False

    def tell(self, waiter: "asyncio.Future[None]") -> None:
        """From any thread. Told first and asked then: who finds the loop woken is looked at."""
        self._told.append(waiter)
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._is_woken = False
        while self._told:
            release(self._told.popleft())


def release(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


_ended: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ended] = WeakKeyDictionary()


async def end_of(future: "Future[Result]", *, seconds: float | None = None) -> Result:
    """What a future ends with, its error too. Raises TimeoutError after so many seconds.

    Who leaves early, by timeout or cancelled, leaves the future as it is.
    """
    if future.done():
        return future.result()
    loop = asyncio.get_running_loop()
    ended = _ended.get(loop)
    if ended is None:
        ended = _ended[loop] = _Ended(loop)
    waiter: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, release, waiter) if seconds is not None else None
    future.add_done_callback(lambda _: ended.tell(waiter))
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
    if not future.done():
        raise TimeoutError
    return future.result()
