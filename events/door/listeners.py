"""Keeps a listener running for every instance whose provider does not push to webhooks.

One thread per instance: it is started again with growing pauses when its connection ends, anew
when the instance is changed, and stopped when it is disabled or archived.
"""

import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import TimeoutError as Late
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from connections import library
from connections.adapter import Answer, Delivery
from connections.models import Instance, forget
from events.door.receive import receive
from omni.errors import InvalidInput, NotConfigured, RateLimited, Unavailable

logger = logging.getLogger("omni.events")
LOOK_SECONDS = 5.0  # between two looks at the instances
STOP_SECONDS = 8.0  # all listeners together
COMMIT_SECONDS = 25.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds; doubles with every failure
STEADY_SECONDS = 60.0  # connected for so long: the next pause is a first one again


class Listener:
    """One instance's connection, in a thread of its own."""

    def __init__(self, instance: Instance) -> None:
        self.slug = instance.slug
        self.version = instance.updated_at
        self.stop = threading.Event()
        self._instance = instance
        self._thread = threading.Thread(target=self._run, name=f"listen-{instance.slug}",
                                        daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        self._thread.join(max(seconds, 0.0))

    def _run(self) -> None:
        """Connect again and again; a wrong setting waits for somebody to change it."""
        pause = FIRST_PAUSE
        try:
            while not self.stop.is_set():
                started = time.monotonic()
                asked = self._listen_once()
                if self.stop.is_set():
                    return
                if asked is None:
                    self.stop.wait()
                    return
                steady = time.monotonic() - started >= STEADY_SECONDS
                pause = FIRST_PAUSE if steady else pause
                self.stop.wait(max(pause, asked))
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            connection.close()

    def _listen_once(self) -> float | None:
        """One connection. Seconds the other side asked to wait; None: no use before a change."""
        facts: dict[str, Any] = {"instance": self.slug}
        try:
            account = self._instance.account()
            self._instance.adapter.listen(account, self._take, self.stop)
        except (InvalidInput, NotConfigured) as exc:
            logger.error("Listener needs a change of its instance.",
                         extra={**facts, "reason": exc.message})
            return None
        except Unavailable as exc:
            logger.warning("Listener lost its connection.",
                           extra={**facts, "reason": exc.message})
            return (exc.retry_after or 0.0) if isinstance(exc, RateLimited) else 0.0
        except Exception:  # around a task: one broken listener must not end the others
            logger.exception("Listener failed.", extra=facts)
            return 0.0
        if not self.stop.is_set():
            logger.info("Listener's connection ended.", extra=facts)
        return 0.0

    def _take(self, delivery: Delivery) -> Answer:
        """Through the front door; the answer comes when the delivery is stored."""
        close_old_connections()
        if delivery.received_at is None:
            delivery = _received_now(delivery)
        try:
            return receive(delivery, provider=self._instance.provider,
                           slug=self.slug).result(COMMIT_SECONDS)
        except Late:
            return Answer(503, {"error": {"code": "unavailable", "message": "not stored in time"}})


class Listeners:
    """All listeners of this process. slugs: only these instances; None: every one that listens."""

    def __init__(self, slugs: Collection[str] | None = None) -> None:
        self._slugs = slugs
        self._running: dict[int, Listener] = {}
        self._said_idle = False

    def run(self) -> None:
        """Look at the instances every few seconds, for ever."""
        while True:
            self.refresh()
            time.sleep(LOOK_SECONDS)

    def refresh(self) -> None:
        """Start what is missing, stop what is no longer wanted. A database away changes nothing."""
        try:
            close_old_connections()
            wanted = {instance.pk: instance for instance in listening(self._slugs)}
        except (DatabaseError, InterfaceError):
            connection.close()
            logger.warning("Instances could not be read; listeners go on as they are.")
            return
        for pk, listener in list(self._running.items()):
            instance = wanted.get(pk)
            if instance is None or instance.updated_at != listener.version:
                listener.stop.set()
            if not listener.is_alive:
                del self._running[pk]
        for pk, instance in wanted.items():
            if pk not in self._running:
                forget(instance.provider, instance.slug)
                logger.info("Listener started.", extra={"instance": instance.slug})
                self._running[pk] = Listener(instance)
        if not wanted and not self._said_idle:
            logger.info("No instance needs a listener; waiting for one.")
        self._said_idle = not wanted

    @property
    def slugs(self) -> list[str]:
        """Instances that are listened for now."""
        return sorted(listener.slug for listener in self._running.values() if listener.is_alive
                      and not listener.stop.is_set())

    def close(self) -> list[str]:
        """Stop all of them; returns those that did not end in time and end with the process."""
        for listener in self._running.values():
            listener.stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for listener in self._running.values():
            listener.join(deadline - time.monotonic())
        late = sorted(one.slug for one in self._running.values() if one.is_alive)
        if late:
            logger.warning("Listeners did not stop in time.", extra={"instances": ",".join(late)})
        return late


def listening(slugs: Collection[str] | None = None) -> list[Instance]:
    """Enabled instances of providers that listen."""
    rows = Instance.objects.active().filter(
        enabled=True, provider__in=library.listening_providers())
    return list(rows if slugs is None else rows.filter(slug__in=slugs))


def _received_now(delivery: Delivery) -> Delivery:
    return Delivery(body=delivery.body, headers=delivery.headers, method=delivery.method,
                    path=delivery.path, query=delivery.query, url=delivery.url,
                    transport=delivery.transport, received_at=datetime.now(UTC))
