"""A host that has as many calls under way as it may have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connections.http import bulkhead
from connections.http.client import origin_of


@contextmanager
def full_host(url: str, settings: Any) -> Iterator[None]:
    """While it lasts no call to the host of `url` finds a place, be it a step's or another's."""
    settings.OMNI_WORKER_THREADS = 1
    origin = origin_of(url)
    keys = [(of_step, origin[1:]) for of_step in (True, False)]
    held = [bulkhead._take(key, 99, patience=0)[0] for key in keys]
    try:
        yield
    finally:
        for key, begun in zip(keys, held, strict=True):
            bulkhead._give_back(key, 99, begun)
