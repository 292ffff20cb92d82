"""What a process keeps in memory of the configuration: dropped when its topic is changed."""

import os
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from django.db import connection

from omni.config import revision
from omni.recent import Recent

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_NOTHING: Any = object()


class Remembered(Generic[Key, Value]):
    """Answers that hold while the number of a topic stands, `most` of them.

    Answers that are None are kept apart, `most` of those as well: asking for what is not there
    pushes out nothing that is. Threads may ask at once; one of them loads a key, the others wait.
    """

    _all: "weakref.WeakSet[Remembered[Any, Any]]" = weakref.WeakSet()

    def __init__(self, topic: str, *, most: int) -> None:
        self._topic, self._most = topic, most
        self.forget()
        Remembered._all.add(self)

    def __len__(self) -> int:
        return len(self._kept) + len(self._missing)

    def get(self, key: Key, load: Callable[[], Value]) -> Value:
        """The answer for a key; `load` reads it from the database when it is not remembered.

        What `load` raises is raised, and not remembered. What was read in a transaction that wrote
        configuration itself, or whose snapshot is older than the number, others never get.
        """
        view = revision.view()
        if view.own:
            return self._of_own(view.own, key, load)
        number = view.of(self._topic)
        found = self._find(key, number)
        if found is not _NOTHING:
            return found
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            try:
                found = self._find(key, number)
                return self._load(key, number, load) if found is _NOTHING else found
            finally:
                with self._lock:
                    self._loading.pop(key, None)

    def _of_own(self, look: int, key: Key, load: Callable[[], Value]) -> Value:
        """What a thread reads that sees its own writes: kept for it alone, until it looks again."""
        if getattr(self._own, "look", 0) != look:
            self._own.look, self._own.kept = look, Recent(self._most)
        kept: Recent[Key, Value] = self._own.kept
        found: Any = kept.get(key, _NOTHING)
        if found is _NOTHING:
            found = load()
            kept.keep(key, found)
        return found

    def peek(self, key: Key) -> Value | None:
        """What is remembered, of whatever number; None when that is nothing. Asks nobody."""
        return self._kept.get(key)

    def knows(self, key: Key) -> bool:
        """Whether `get` would not load, as far as this process knows; see `revision.is_fresh`."""
        return key in self._kept or key in self._missing

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._number = -1
        self._kept: Recent[Key, Value] = Recent(self._most)
        self._missing: Recent[Key, Value] = Recent(self._most)
        self._loading: dict[Key, threading.Lock] = {}
        self._own = threading.local()

    @classmethod
    def forget_all(cls) -> None:
        """In tests, and in a process that was forked."""
        for one in list(cls._all):
            one.forget()

    def _find(self, key: Key, number: int) -> Any:
        with self._lock:
            if number != self._number:
                self._number = number
                self._kept, self._missing = Recent(self._most), Recent(self._most)
            found = self._kept.get(key, _NOTHING)
            return self._missing.get(key, _NOTHING) if found is _NOTHING else found

    def _load(self, key: Key, number: int, load: Callable[[], Value]) -> Value:
        """The number was read before this, so that what is read now is at least as new."""
        if connection.in_atomic_block:
            look = revision.ask()
            if look.own or look.of(self._topic) < number:
                return load()
        value = load()
        with self._lock:
            if self._number == number:
                (self._missing if value is None else self._kept).keep(key, value)
        return value


os.register_at_fork(after_in_child=Remembered.forget_all)
