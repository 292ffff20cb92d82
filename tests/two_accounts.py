"""Two accounts that hold the same ids: what one shows does not depend on what the other lives.

A story is a generator function: it acts at one account, yields wherever the other one may act, and
returns what people see of the account. It names rows by what the provider calls them, never by our
ids, so that an account alone and an account beside another one can be compared.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import TestCase

from connections.models import Instance
from tests.conftest import _forget
from tests.factories import make_evolution

Story = Callable[["Life"], Generator[None, None, Any]]
TURNS = ("before", "after")  # when the other account acts


@dataclass(frozen=True, slots=True)
class Life:
    """An account, and a word that everything said there holds."""

    account: Instance
    word: str


def shown(story: Story, *, other: Story | None = None, turn: str = "before") -> Any:
    """What an account shows at the end of a story. other: what a second account lives meanwhile,
    under the same ids. All of it is taken back.
    """
    with transaction.atomic():
        account = make_evolution("mine")
        lives = [story(Life(account, "mine"))]
        if other is not None:
            lives.insert(0 if turn == "before" else 1,
                         other(Life(make_evolution("other"), "theirs")))
        mine = lives[0] if other is None or turn == "after" else lives[1]
        given = _live(lives, mine)
        transaction.set_rollback(True)
    _forget()
    return given


def _live(lives: list[Generator[None, None, Any]], mine: Generator[None, None, Any]) -> Any:
    """Let the lives take turns until mine is over; what follows a commit follows every act."""
    while True:
        for life in lives:
            try:
                with TestCase.captureOnCommitCallbacks(execute=True):
                    next(life)
            except StopIteration as end:
                if life is mine:
                    return end.value
