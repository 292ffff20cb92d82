"""What every test starts with: nothing remembered of the rows of the test before."""

from collections.abc import Iterator

import pytest

from connections import models as connections_models
from events import contacts, conversations
from events.knocks import knocks
from registry import matching


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    """Modules that keep ids in memory forget them: the rows they name are rolled back."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    connections_models.forget()
    conversations.forget()
    contacts.forget()
    knocks.forget()
    matching.forget()
