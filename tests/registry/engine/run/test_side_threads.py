"""Arms of runs at the same time: bounded in threads and connections, and never stuck."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from registry.engine.run.side_threads import SideThreads


@pytest.fixture
def threads(settings):
    settings.OMNI_WORKER_THREADS = 3
    return SideThreads()


class Busy:
    """A task that tells how many run at once, and in which threads."""

    def __init__(self):
        self.now = self.most = 0
        self.names = set()
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.names.add(threading.current_thread().name)
        threading.Event().wait(0.01)
        with self.lock:
            self.now -= 1
        return self.most


def test_results_are_in_the_order_of_the_tasks(threads):
    assert threads.run([lambda n=n: n for n in range(20)], width=4) == list(range(20))


def test_many_runs_share_the_threads_of_their_process(threads):
    busy = Busy()

    with ThreadPoolExecutor(5) as runs:
        list(runs.map(lambda _: threads.run([busy] * 10, width=8), range(5)))

    assert busy.most <= 5 + 3 and sum(name.startswith("side") for name in busy.names) <= 3


def test_arms_inside_arms_never_wait_for_a_thread_that_does_not_come(threads):
    def inner():
        return sum(threads.run([lambda: 1] * 4, width=4))

    done = threads.run([lambda: sum(threads.run([inner] * 4, width=4))] * 4, width=4)

    assert done == [16] * 4


def test_first_error_is_raised_when_all_are_done(threads):
    done = []

    def fail(text):
        raise ValueError(text)

    with pytest.raises(ValueError, match="first"):
        threads.run([lambda: fail("first"), lambda: done.append(1), lambda: fail("second"),
                     lambda: done.append(2)], width=2)

    assert sorted(done) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_threads_keep_their_connections(threads):
    def backend():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), pg_sleep(0.01)")
            return cursor.fetchone()[0]

    first, second = (set(threads.run([backend] * 12, width=8)) for _ in range(2))

    assert len(first | second) <= 1 + 3
