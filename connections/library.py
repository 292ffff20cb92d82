"""The adapters found on disk, by provider name."""

import difflib
from functools import cache

from connections import providers
from connections.adapter import Adapter
from omni.discovery import import_below
from omni.errors import UnknownProvider


@cache
def adapters() -> dict[str, Adapter]:
    """Every provider's adapter, by name; made once per process."""
    found: dict[str, Adapter] = {}
    for module in import_below(providers):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Adapter) and "name" in vars(value):
                found[value.name] = value()
    return dict(sorted(found.items()))


def listening_providers() -> list[str]:
    """Providers that do not push to webhooks: their instances need a listener."""
    return [name for name, adapter in adapters().items() if adapter.listens]


def get(name: str) -> Adapter:
    """The adapter of a provider. Raises UnknownProvider with the nearest name."""
    try:
        return adapters()[name]
    except KeyError:
        near = difflib.get_close_matches(name, adapters(), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(adapters())}"
        raise UnknownProvider(f"unknown provider '{name}'{hint}") from None
