"""Keeps what a process knows of the configuration fresh, so that no delivery has to ask for it."""

import logging
import threading

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from omni.config import revision

logger = logging.getLogger("omni")
SHARE = 0.8  # of the time a look holds


class Watch:
    """A thread that looks again before the last look is too old, from `start` to `stop`."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config", daemon=True)

    def start(self) -> None:
        """Nothing is watched where nothing is remembered."""
        if settings.OMNI_INSTANCE_CACHE_SECONDS > 0:
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.wait(settings.OMNI_INSTANCE_CACHE_SECONDS * SHARE):
                try:
                    if not revision.is_fresh(share=SHARE):
                        revision.look()
                except (DatabaseError, InterfaceError):  # around a task: the next look tries again
                    connection.close()
        finally:
            connection.close()
