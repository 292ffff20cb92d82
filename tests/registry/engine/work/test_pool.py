"""The threads of one worker: who gets one, and what happens to those that are at work."""

import logging
import threading
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from registry.engine.work import pool as module
from registry.engine.work.pool import Pool
from registry.engine.work.queue import Claim
from tests.waiting import until

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SHOP, STRANGER = 1, 2


def claim(run_id, instance_id=SHOP, token=1):
    return Claim(run_id, token, 0, NOW, instance_id)


class Overrun:
    """An execution whose step overran its time."""

    def is_overdue(self, *, grace):
        return True


class Runner:
    """Stands for `runner.advance`: a run is at work until it is let end, or ends with an error."""

    def __init__(self):
        self.begun, self._ends = [], {}
        self.errors, self.hangs, self.is_over = {}, set(), False

    def _end(self, key):
        return self._ends.setdefault(key, threading.Event())

    def __call__(self, claim, *, run, watch):
        key = claim.run_id, claim.token
        if key in self.hangs:
            watch(Overrun())
        self.begun.append(key)
        if key in self.errors:
            raise self.errors[key]
        end = self._end(key)
        if not self.is_over:
            end.wait(20)

    def end(self, run_id, token=1):
        self._end((run_id, token)).set()

    def end_all(self):
        """Those, too, whose thread has not come to it yet."""
        self.is_over = True
        for end in list(self._ends.values()):
            end.set()


@pytest.fixture
def runner(monkeypatch):
    runner = Runner()
    monkeypatch.setattr(module.runner, "advance", runner)
    yield runner
    runner.end_all()


@pytest.fixture
def pool(runner):
    made = Pool("w1", threads=4, share=2)
    yield made
    runner.end_all()
    assert made.finish(seconds=20)


def begin(pool, *claims):
    for one in claims:
        pool.begin(one)


def threads_of(pool):
    with pool._change:
        return pool._started


def test_run_is_taken_by_a_thread_and_leaves_room_when_it_ends(pool, runner):
    begin(pool, claim(1))
    assert until(lambda: runner.begun == [(1, 1)])
    during = pool.room(), pool.busy()

    runner.end(1)

    assert during == (3, {SHOP: 1}) and until(lambda: (pool.room(), pool.busy()) == (4, {}))


def test_whoever_waits_for_a_thread_is_told_when_one_is_free(runner):
    told = threading.Event()
    pool = Pool("w1", threads=1, share=1, freed=told.set)
    begin(pool, claim(1))

    runner.end(1)

    assert told.wait(20) and pool.room() == 1
    assert pool.finish(seconds=20)


def test_account_gets_no_more_threads_than_its_share(pool):
    kept = [pool.reserve(SHOP) for _ in range(3)]

    assert kept == [True, True, False] and pool.busy() == {SHOP: 2}
    assert pool.reserve(STRANGER)


def test_runs_at_work_count_for_the_share(pool):
    begin(pool, claim(1), claim(2))

    assert not pool.reserve(SHOP) and pool.reserve(STRANGER)


def test_nothing_is_kept_when_all_threads_are_taken(pool):
    for account in (SHOP, SHOP, STRANGER, STRANGER):
        assert pool.reserve(account)

    assert not pool.reserve(3) and pool.room() == 0


def test_thread_that_is_not_needed_is_given_back(pool):
    pool.reserve(SHOP)

    pool.give_back(SHOP)

    assert (pool.room(), pool.busy()) == (4, {})


def test_kept_thread_is_the_one_its_run_takes(pool):
    pool.reserve(SHOP)

    pool.begin(claim(1), reserved=True)

    assert (pool.room(), pool.busy()) == (3, {SHOP: 1})


def test_threads_are_used_again_and_no_more_are_made_than_needed(pool, runner):
    for number in range(5):
        begin(pool, claim(number))
        runner.end(number)
        assert until(lambda: pool.room() == 4 and len(pool._idle) == 1)

    assert threads_of(pool) == 1


def test_threads_without_work_end(runner, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    pool = Pool("w1", threads=2, share=2)
    begin(pool, claim(1), claim(2))

    runner.end(1), runner.end(2)

    assert until(lambda: threads_of(pool) == 0)
    begin(pool, claim(3))
    assert until(lambda: (3, 1) in runner.begun)


def test_finish_waits_for_what_is_at_work_and_begins_nothing(pool, runner):
    begin(pool, claim(1))

    assert not pool.finish(seconds=0.01) and not pool.reserve(STRANGER)
    runner.end(1)
    assert pool.finish(seconds=20) and until(lambda: threads_of(pool) == 0)


def test_hung_work_is_let_go_once_and_not_waited_for(pool, runner):
    runner.hangs.add((1, 1))
    begin(pool, claim(1))
    assert until(lambda: runner.begun)

    let_go = pool.overdue(), pool.overdue()

    assert let_go == ([claim(1)], [])
    assert pool.finish(seconds=0)  # though it still has its thread


def test_hung_run_that_is_claimed_again_is_work_of_its_own(pool, runner):
    """The end of the first try is not the end of the second."""
    runner.hangs.add((1, 1))
    begin(pool, claim(1))
    assert until(lambda: runner.begun)
    pool.overdue()
    begin(pool, claim(1, token=3))
    assert until(lambda: (1, 3) in runner.begun)
    both = pool.room()

    runner.end(1)

    assert both == 2 and until(lambda: pool.room() == 3)
    assert not pool.finish(seconds=0.01)
    runner.end(1, token=3)
    assert pool.finish(seconds=20)


@pytest.mark.parametrize(("error", "left"), [
    (ZeroDivisionError("bug"), []), (OperationalError("gone"), [claim(1)]), (SystemExit(3), [])])
def test_run_whose_walk_breaks_off_is_given_back_when_the_database_answers(
        pool, runner, monkeypatch, error, left, caplog):
    """Its worker lives on, so no lease runs out."""
    monkeypatch.setattr(module.journal, "errored",
                        lambda _, exc: not isinstance(exc, OperationalError))
    runner.errors[1, 1] = error
    with caplog.at_level(logging.CRITICAL):
        begin(pool, claim(1))
        assert until(lambda: pool.room() == 4)

    assert (pool.left(), pool.left(), pool.overdue()) == (left, [], [])
    begin(pool, claim(2))
    assert until(lambda: (2, 1) in runner.begun)
