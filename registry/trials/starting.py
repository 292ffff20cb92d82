"""The process for trials is started when somebody asks for one, by a worker, and ends when nobody
did for some minutes: at rest it costs nothing.
"""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import connection
from django_q.tasks import async_task

LOCK_CLASS = 7_311_947  # an advisory lock, held by the one process of an installation
ASK_SECONDS = 3.0  # between two requests of this process to start it
_HELD = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class Starter:
    """Asks the workers for the process, not too often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = 0.0

    def ask(self) -> None:
        """See to it that the process runs; returns at once."""
        now = time.monotonic()
        with self._lock:
            if now - self._asked < ASK_SECONDS or is_running():
                return
            self._asked = now
        async_task(start, save=False, task_name="start-trials")

    def forget(self) -> None:
        self._asked = 0.0


def is_running() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [LOCK_CLASS])
        return cursor.fetchone()[0]


def start() -> None:
    """In a worker: start the process, unless there is one. It ends with the cluster, whose head is
    this worker's parent; a worker may be replaced at any time.

    The file's lock goes to the child and lasts as long: while it starts, which takes seconds,
    nobody on this machine starts another.
    """
    if is_running():
        return
    with open(settings.OMNI_DATA_DIR / "trials.lock", "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        popen(cluster=os.getppid(), keeps=[file.fileno()])


def popen(*, cluster: int, idle: float | None = None,
          keeps: Sequence[int] = ()) -> "subprocess.Popen[bytes]":
    """cluster: the process it ends with. idle: seconds until it ends because nobody asked. keeps:
    files it holds open as long as it lives.
    """
    return subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "omni_trials", "--cluster",
         str(cluster), "--database", str(connection.settings_dict["NAME"]),
         *([] if idle is None else ["--idle", str(idle)])],
        cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, pass_fds=keeps,
        env={**os.environ, "OMNI_PROCESS": "trials", "OMNI_FAILPOINT": "",
             "DJANGO_SETTINGS_MODULE": "omni.settings"})


starter = Starter()
