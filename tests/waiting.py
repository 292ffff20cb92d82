"""Waiting for a condition, because other threads and processes take the time they take."""

import threading
import time
from collections.abc import Callable
from typing import Any

SECONDS = 20


def until(condition: Callable[[], Any], seconds: float = SECONDS, *, every: float = 0.01) -> bool:
    """Wait for a condition; False when time ran out."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > end:
            return False
        pause.wait(every)
    return True
