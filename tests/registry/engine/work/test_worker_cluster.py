"""The repairs of django-q2's cluster: a killed worker must not keep the queue's read lock."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from registry.engine.work.worker_cluster import RepairableQueue, die_with_parent, share_memory

ROOT = Path(__file__).resolve().parents[4]
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def tasks():
    queue = RepairableQueue()
    yield queue
    queue.close()


def _read_for_ever(tasks):
    tasks.get()


def _kill_a_reader(tasks):
    """A process that is killed while it waits for a task; its id."""
    reader = FORK.Process(target=_read_for_ever, args=(tasks,), daemon=True)
    reader.start()
    while tasks.reader.value != reader.pid:
        reader.join(0.01)
    os.kill(reader.pid, signal.SIGKILL)
    reader.join(10)
    return reader.pid


def test_tasks_come_out_in_order(tasks):
    for number in range(3):
        tasks.put(number)

    assert [tasks.get(), tasks.get(), tasks.get(timeout=5)] == [0, 1, 2]
    assert tasks.reader.value == 0


def test_lock_of_a_killed_reader_is_released_for_the_next(tasks):
    killed = _kill_a_reader(tasks)

    assert not tasks._rlock.acquire(False)
    assert tasks.release_after(killed)

    tasks.put("next")
    assert tasks.get(timeout=5) == "next"


def test_death_of_a_process_that_was_not_reading_releases_nothing(tasks):
    killed = _kill_a_reader(tasks)

    assert not tasks.release_after(killed + 1)
    assert tasks.release_after(killed) and not tasks.release_after(killed)


def _parent(sender):
    child = FORK.Process(target=_child, args=(sender,))
    child.start()
    child.join()


def _child(sender):
    die_with_parent()
    sender.send(os.getpid())
    signal.pause()


def test_child_ends_with_its_parent():
    receiver, sender = FORK.Pipe()
    parent = FORK.Process(target=_parent, args=(sender,))
    parent.start()
    sender.close()
    assert receiver.poll(10)
    receiver.recv()

    os.kill(parent.pid, signal.SIGKILL)
    parent.join(10)

    assert receiver.poll(10)  # the child's end of the pipe is closed: it is gone
    with pytest.raises(EOFError):
        receiver.recv()


def test_what_every_worker_needs_is_loaded_before_they_part():
    """A module that each of them loads for itself is in memory once for each."""
    code = """
import django, sys
django.setup()
from registry.engine.work import worker_cluster
worker_cluster.share_memory()
before = set(sys.modules)
from actions import library as actions
from connections import library as adapters
from registry.engine.run import steps
actions.actions(), adapters.adapters(), steps.modules()
print(len(set(sys.modules) - before), "actions.guards.debounce" in before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, check=True,
                          capture_output=True,
                          env={**os.environ, "DJANGO_SETTINGS_MODULE": "omni.settings"})

    assert done.stdout == "0 True\n"


def _collect_after_sharing(sender):
    share_memory()
    sender.send((len(gc.get_objects()), gc.get_freeze_count()))


def test_collection_in_a_worker_leaves_alone_what_was_there_before():
    receiver, sender = FORK.Pipe()
    child = FORK.Process(target=_collect_after_sharing, args=(sender,))
    child.start()

    assert receiver.poll(30)
    looked_at, left_alone = receiver.recv()

    child.join(10)
    assert looked_at < 1000 < left_alone
