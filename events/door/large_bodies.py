"""Bodies of many megabytes are understood and stored by a process of their own.

Searching, decoding and parsing them holds Python's lock for whole seconds, in which no other
delivery could be answered. One child, started with the first such body; it ends with us, because
its input does, and a new one follows when it died.
"""

import logging
import os
import pickle
import select
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from django.conf import settings
from django.db import connection

from connections.adapter import Answer, Delivery
from events.door.admission import Admitted, try_later

logger = logging.getLogger("omni.events")
LARGE_BYTES = 8 * 1024 * 1024
_MOST_SECONDS = 180.0  # for one body; a child that takes longer is ended
_TRIES = 2


def is_large(delivery: Delivery) -> bool:
    """Whether this process leaves the body to the other one. Never without group commit: then the
    calling thread does everything, as in the other process itself.
    """
    return len(delivery.body) > LARGE_BYTES and settings.OMNI_GROUP_COMMIT


class Elsewhere:
    """The process for large bodies, and the thread that talks to it: one body at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large")
        self._child: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def take(self, delivery: Delivery, admitted: Admitted) -> "Future[Answer]":
        """`receive.take_in` over there. The future ends with an answer, never with an error, and
        not before the body is let go: whoever counts bytes counts it until then.
        """
        answer: Future[Answer] = Future()
        answer.set_running_or_notify_cancel()  # an impatient door may leave, the body waits on
        try:
            self._thread.submit(self._tell, answer, delivery, admitted)
        except RuntimeError:  # `end` was called: the process stops
            answer.set_result(try_later("this process ends"))
        return answer

    def _tell(self, answer: "Future[Answer]", delivery: Delivery, admitted: Admitted) -> None:
        answer.set_result(self._taken(delivery, admitted))

    def _taken(self, delivery: Delivery, admitted: Admitted) -> Answer:
        for _ in range(_TRIES):  # what the first child stored is found as a duplicate
            if self._is_over:
                break
            try:
                return self._asked(delivery, admitted)
            except Exception as exc:  # around a request: its sender is answered
                if not self._is_over:
                    logger.error("The process for large bodies ended.", exc_info=exc)
                self._end_child()
        return try_later("the process for large bodies ended over this one")

    def _asked(self, delivery: Delivery, admitted: Admitted) -> Answer:
        if self._child is None or self._child.poll() is not None:
            self._child = _started()
        into, out = self._child.stdin, self._child.stdout
        if into is None or out is None:
            raise EOFError("the process has no pipes")
        pickle.dump((replace(delivery, body=b""), admitted, len(delivery.body)), into)
        into.write(delivery.body)
        into.flush()
        if not select.select([out], [], [], _MOST_SECONDS)[0]:
            raise EOFError(f"no answer within {_MOST_SECONDS:g} s")
        return pickle.load(out)

    def end(self) -> None:
        """Take no more, and end the child; its body was not acknowledged."""
        self._is_over = True
        if self._child is not None:
            self._child.kill()
        self._thread.shutdown()
        self._end_child()

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):  # what it never read
                if pipe is not None:
                    pipe.close()


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "events.door.large_bodies_process",
         str(connection.settings_dict["NAME"])],
        cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "OMNI_GROUP_COMMIT": "0", "OMNI_PROCESS": "large",
             "DJANGO_SETTINGS_MODULE": "omni.settings"})


elsewhere = Elsewhere()
