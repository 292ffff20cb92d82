"""What other threads end is awaited in an event loop, which is woken once for a batch."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from events.door.handover import end_of


def in_thread(work):
    threading.Thread(target=work).start()


async def test_result_of_another_thread_is_returned():
    future = Future()
    in_thread(lambda: future.set_result(3))

    assert await end_of(future) == 3


async def test_error_of_another_thread_is_raised():
    future = Future()
    in_thread(lambda: future.set_exception(KeyError("gone")))

    with pytest.raises(KeyError):
        await end_of(future)


async def test_result_that_is_there_already_is_returned():
    future = Future()
    future.set_result(3)

    assert await end_of(future, seconds=0) == 3


async def test_future_that_does_not_end_in_time_is_given_up_and_not_cancelled():
    future = Future()

    with pytest.raises(TimeoutError):
        await end_of(future, seconds=0.01)

    assert not future.cancelled()
    future.set_result(3)  # nobody is there any more
    await asyncio.sleep(0)


async def test_loop_is_woken_once_for_all_that_end_together(monkeypatch):
    loop, woken = asyncio.get_running_loop(), []
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *args: (
        woken.append(args), wake(*args))[1])
    futures = [Future() for _ in range(100)]
    waiting = [asyncio.create_task(end_of(future)) for future in futures]
    await asyncio.sleep(0)

    for number, future in enumerate(futures):
        future.set_result(number)

    assert await asyncio.gather(*waiting) == list(range(100))
    assert len(woken) == 1


async def test_nobody_is_left_waiting_however_the_threads_run():
    for _ in range(20):
        futures = [Future() for _ in range(50)]
        for part in range(5):
            in_thread(lambda part=part, futures=futures: [
                future.set_result(None) for future in futures[part::5]])

        async with asyncio.timeout(10):
            await asyncio.gather(*map(end_of, futures))
