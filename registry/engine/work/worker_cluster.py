"""django-q2's cluster with two repairs and little memory, used by `manage.py omni_worker`.

A worker that is killed while it waits for a task holds the queue's read lock for ever (a known
defect of multiprocessing queues): the sentinel releases it here. And a stop signal reaches the
drains at once, instead of at the end of their turn. What all processes need is loaded before they
part, and so held once.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading

from django_q import cluster as q2
from django_q.queues import Queue

from actions import library as actions
from connections import library as adapters
from registry.engine.run import steps
from registry.engine.work import drain

_PR_SET_PDEATHSIG = 1


class RepairableQueue(Queue):
    """A queue that knows which process holds its read lock."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.reader = multiprocessing.Value("i", 0, lock=False)

    def __getstate__(self):
        return (*super().__getstate__(), self.reader)

    def __setstate__(self, state) -> None:
        super().__setstate__(state[:-1])
        self.reader = state[-1]

    def get(self, block: bool = True, timeout: float | None = None):
        if not block or timeout is not None:
            return super().get(block, timeout)
        with self._rlock:
            self.reader.value = os.getpid()
            payload = self._recv_bytes()
            self.reader.value = 0
        self._sem.release()
        self.size.increment(-1)
        return multiprocessing.reduction.ForkingPickler.loads(payload)

    def release_after(self, pid: int) -> bool:
        """Free the read lock if the dead process `pid` held it."""
        if self.reader.value != pid:
            return False
        self.reader.value = 0
        self._rlock.release()
        return True


class RepairingSentinel(q2.Sentinel):
    def reincarnate(self, process) -> None:
        if not process.is_alive():
            self.task_queue.release_after(process.pid)
        super().reincarnate(process)


class Cluster(q2.Cluster):
    def stop(self) -> bool:
        """Tell everybody to stop and wait for the sentinel.

        An event whose waiter was killed blocks the one who sets it, so a thread does that.
        """
        drain.STOP.value = 1
        threading.Thread(target=self.stop_event.set, daemon=True).start()
        self.sentinel.join()
        return True


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies (Linux; elsewhere nothing)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def share_memory() -> None:
    """Load what the children would load one by one, and have them share it.

    A collection in one of them would write to every object of before, and so copy it.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    actions.actions()
    adapters.adapters()
    steps.modules()
    gc.collect()
    gc.freeze()


def start() -> Cluster:
    """Start the cluster's processes; returns when they are up."""
    q2.Queue = RepairableQueue
    q2.Sentinel = RepairingSentinel
    share_memory()
    os.register_at_fork(after_in_child=die_with_parent)
    cluster = Cluster()
    cluster.start()
    return cluster
