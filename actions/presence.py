"""Typing marks while an answer is being made: best effort, never part of an outcome."""

import threading
import time
from typing import Self

from django.db import connection

from actions.base import Context
from connections.envelope import OutboundMessage
from connections.http import bulkhead
from events.models import Event
from events.outbox import deliver
from omni.recent import Recent

SHOWN_SECONDS = 15.0  # how long a provider shows one mark; the first Omni asked for the same
_MOST = 10_000
_shown: Recent[tuple[int, str, str], float] = Recent(_MOST)  # place -> until when
_lock = threading.Lock()


def show(event: Event, context: Context, state: str) -> None:
    """Tell the other side we are `typing` or `paused`; nothing in a dry run."""
    if context.dry_run or not event.conversation_ref:
        return
    place = _place(event)
    with _lock:
        if state != "typing":
            _shown.pop(place, None)
        else:
            _shown.keep(place, time.monotonic() + SHOWN_SECONDS)
    content = {"state": state} | ({"seconds": SHOWN_SECONDS} if state == "typing" else {})
    deliver.signal(OutboundMessage(kind="presence", to=event.conversation_ref, content=content,
                                   thread_ref=event.thread_ref), instance=context.instance)


def take_back(event: Event, context: Context) -> None:
    """Take back a mark this process showed, on a thread of its own: nothing waits for it.

    No call where no mark of ours can be seen; another worker's mark ends by itself.
    """
    if _shown.get(_place(event), 0.0) >= time.monotonic():
        threading.Thread(target=_show_paused, args=(event, context), name="typing",
                         daemon=True).start()


def _show_paused(event: Event, context: Context) -> None:
    try:
        with bulkhead.uncounted():
            show(event, context, "paused")
    finally:
        connection.close()  # this thread's own


def _place(event: Event) -> tuple[int, str, str]:
    return event.instance_id, event.conversation_ref, event.thread_ref


class Typing:
    """Shows typing from `after` seconds on and again every `every` seconds, while a block lasts.

    shown: whether anything was shown. The end of the block does not wait for a mark on its way.
    """

    def __init__(self, event: Event, context: Context, *, after: float, every: float) -> None:
        self.shown = False
        self._event, self._context = event, context
        self._after, self._every = after, every
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep_showing, name="typing", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _keep_showing(self) -> None:
        wait = self._after
        try:
            while not self._over.wait(wait):
                self.shown = True
                with bulkhead.uncounted():
                    show(self._event, self._context, "typing")
                wait = self._every
        finally:
            if self.shown:
                connection.close()  # this thread's own
