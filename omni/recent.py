"""What a process remembers, within bounds: the entries that were used longest ago go first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(OrderedDict[Key, Value], Generic[Key, Value]):
    """A dict of `most` entries. `keep` counts as a use, reading does not.

    Threads may read while others keep: an entry may go at any time, so ask with `get`.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self._keeping = threading.Lock()

    def keep(self, key: Key, value: Value) -> None:
        """Put an entry in, or in its newest place."""
        self.keep_all([(key, value)])

    def keep_all(self, entries: Iterable[tuple[Key, Value]]) -> None:
        with self._keeping:
            for key, value in entries:
                self.pop(key, None)
                self[key] = value
                if len(self) > self.most:
                    self.popitem(last=False)

    def drop(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self.pop(key, None)
