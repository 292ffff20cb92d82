"""Bodies and accounts for the tests of this provider; the people in them are invented."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connections.adapter import Account, Delivery
from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.config import Credentials, Settings
from connections.providers.whatsapp_evolution.mapping import to_drafts

PAYLOADS = Path(__file__).parent / "payloads"


@pytest.fixture(scope="session")
def received_at() -> datetime:
    return datetime(2026, 3, 2, 9, 15, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def load() -> Callable[[str], Any]:
    """The body of a file, fresh every time."""
    return lambda name: json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def read(received_at) -> Callable[..., list[EventDraft]]:
    """The drafts of a body."""

    def drafts_of(payload: Any, *, path: str = "", at: datetime = received_at,
                  **options: str) -> list[EventDraft]:
        delivery = Delivery(body=b"", path=path, received_at=at)
        return to_drafts(payload, delivery=delivery, **{"slug": "sol", **options})

    return drafts_of


@pytest.fixture(scope="session")
def drafts(load, read) -> Callable[..., list[EventDraft]]:
    """The drafts of a file's body."""
    return lambda name, **options: read(load(name), **options)


@pytest.fixture
def account() -> Callable[..., Account]:
    """An account; settings by name, credentials as a dict."""

    def make(*, credentials: dict[str, str] | None = None, **settings: Any) -> Account:
        return Account(slug="sol", provider="whatsapp_evolution",
                       settings=Settings(**settings), credentials=Credentials(**credentials or {}))

    return make


@pytest.fixture
def here(httpserver, account, settings):
    """An account whose server is the loopback server."""
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = True

    def make(*, credentials=None, **options):
        options.setdefault("base_url", httpserver.url_for("/"))
        return account(credentials={"api_key": "k-secret", **(credentials or {})}, **options)

    return make
