"""The threads of the sockets: few, shared fairly, and gone when nobody needs them."""

import asyncio
import threading

import pytest
from django.db import connection

from events.live import socket_threads
from events.live.socket_threads import SocketThreads


@pytest.fixture
def gate():
    """Holds work until it is opened."""
    opened = threading.Event()
    yield opened
    opened.set()


async def begun(threads, owner, gate, count):
    """So many pieces of work of an owner that wait for the gate; and those under way."""
    running = []

    def work():
        running.append(owner)
        gate.wait(10)
        return owner

    waiting = [asyncio.ensure_future(threads.call(owner, work)) for _ in range(count)]
    return waiting, running


async def until(true):
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_call_returns_what_the_function_returns():
    assert await SocketThreads(2).call("ana", lambda one, *, two: one + two, 1, two=2) == 3


async def test_what_a_function_raises_is_raised_to_who_called():
    with pytest.raises(ZeroDivisionError):
        await SocketThreads(2).call("ana", lambda: 1 / 0)


async def test_more_work_than_threads_waits(gate):
    threads = SocketThreads(3, share=3)

    waiting, running = await begun(threads, "ana", gate, 10)
    await until(lambda: len(running) == 3)

    assert threads._count == 3
    gate.set()
    assert await asyncio.gather(*waiting) == ["ana"] * 10


async def test_one_owner_never_takes_all_threads(gate):
    threads = SocketThreads(4, share=2)
    waiting, running = await begun(threads, "ana", gate, 50)
    await until(lambda: len(running) == 2)

    async with asyncio.timeout(5):
        assert await threads.call("ben", lambda: "served") == "served"

    assert len(running) == 2
    gate.set()
    await asyncio.gather(*waiting)


async def test_owners_take_turns(gate):
    threads, order = SocketThreads(1, share=1), []
    first, running = await begun(threads, "ana", gate, 1)
    await until(lambda: running)
    rest = [asyncio.ensure_future(threads.call(owner, order.append, owner))
            for owner in ["ana"] * 5 + ["ben"] * 2]

    gate.set()
    await asyncio.gather(*first, *rest)

    assert order == ["ana", "ben", "ana", "ben", "ana", "ana", "ana"]


async def test_work_whose_caller_left_is_not_begun(gate):
    threads, done = SocketThreads(1, share=1), []
    first, running = await begun(threads, "ana", gate, 1)
    await until(lambda: running)
    left = asyncio.ensure_future(threads.call("ben", done.append, "left"))
    await asyncio.sleep(0)

    left.cancel()
    await asyncio.wait([left])
    gate.set()
    await asyncio.gather(*first)
    await threads.call("ben", done.append, "stayed")

    assert done == ["stayed"]


@pytest.mark.django_db(transaction=True)
async def test_idle_thread_ends_and_its_connection_with_it(monkeypatch):
    monkeypatch.setattr(socket_threads, "IDLE_SECONDS", 0.1)
    threads = SocketThreads(2)

    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return threading.current_thread(), cursor.fetchone()[0]

    thread, pid = await threads.call("ana", backend)
    again = await threads.call("ana", backend)
    await until(lambda: not thread.is_alive())

    assert again == (thread, pid) and threads._count == 0

    def is_open():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
            return cursor.fetchone()[0]

    async with asyncio.timeout(10):
        while await threads.call("ben", is_open):
            pass
