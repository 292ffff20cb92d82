"""A mapping whose values are made on first use: what expressions read of events and people."""

from collections.abc import Callable, Mapping
from typing import Any


class Lazy(dict):
    """Values are made on first use and kept; what it does not know is null."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]], **values: Any) -> None:
        super().__init__(values)
        self._makers = makers

    def get(self, key: Any, default: Any = None) -> Any:
        if key in self:
            return super().__getitem__(key)
        maker = self._makers.get(key)
        if maker is None:
            return default
        self[key] = value = maker()
        return value

    def __missing__(self, key: Any) -> Any:
        return self.get(key)

    def fork(self) -> "Lazy":
        """A copy that can be given values of its own; what was made already is shared."""
        return Lazy(self._makers, **self)
