"""Accounts take turns in the threads of the door."""

import threading

import pytest

from events.door.fair_threads import FairThreads
from omni.errors import Unavailable


@pytest.fixture
def busy():
    """One thread that is at work until `go_on`; what it does then is in `done`."""
    threads = FairThreads(1, "fair", most=5)
    threads.go_on, threads.done, begun = threading.Event(), [], threading.Event()
    threads.submit("flood", lambda: (begun.set(), threads.go_on.wait(10)))
    assert begun.wait(10)
    yield threads
    threads.go_on.set()


def submit(threads, whose, *names):
    return [threads.submit(whose, threads.done.append, name) for name in names]


def finish(threads, futures):
    threads.go_on.set()
    for future in futures:
        future.result(10)
    return threads.done


def test_one_who_comes_after_a_flood_waits_for_one_of_it(busy):
    futures = [*submit(busy, "flood", "f1", "f2", "f3", "f4"), *submit(busy, "honest", "h")]

    assert finish(busy, futures) == ["f1", "h", "f2", "f3", "f4"]


def test_accounts_take_turns_and_each_keeps_its_order(busy):
    futures = [*submit(busy, "a", "a1", "a2", "a3"), *submit(busy, "b", "b1", "b2"),
               *submit(busy, "c", "c1")]

    assert finish(busy, futures) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_line_of_one_account_is_bounded_and_no_other(busy):
    futures = submit(busy, "flood", *"12345")

    with pytest.raises(Unavailable, match="5 bodies of this account wait"):
        busy.submit("flood", busy.done.append, "6")
    futures += submit(busy, "honest", "h")
    assert busy.waiting == 6
    assert finish(busy, futures) == ["1", "h", "2", "3", "4", "5"] and busy.waiting == 0


def test_who_has_left_is_not_worked_for(busy):
    left, stays = submit(busy, "a", "left", "stays")
    left.cancel()

    assert finish(busy, [stays]) == ["stays"]


def test_error_is_told_to_who_waits_and_the_next_is_done(busy):
    broken = busy.submit("a", lambda: 1 / 0)
    [fine] = submit(busy, "a", "fine")

    assert finish(busy, [fine]) == ["fine"]
    with pytest.raises(ZeroDivisionError):
        broken.result(10)


def test_accounts_that_came_and_went_leave_nothing(busy):
    futures = [future for number in range(100) for future in submit(busy, f"a{number}", number)]

    finish(busy, futures)

    assert not busy._lines
