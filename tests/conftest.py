"""What every test starts with: nothing remembered of the rows of the test before."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db import connection

from actions import base, breaker, library
from actions.base import Context, Outcome, Params, done
from connections.http import bulkhead
from connections.rest import wrong_keys
from events.door.commit import writer
from events.door.knocks import knocks
from events.door.quotas import quotas
from events.people import contacts, conversations
from omni.config import revision
from omni.config.remembered import Remembered
from registry.engine.route import definitions, matching
from registry.engine.run import runner
from registry.engine.starts import clockwork
from tests.emptied import empty


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Threads of the front door keep their connections; they go before the database does."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid()")


@pytest.fixture(scope="session", autouse=True)
def committed_rows_are_deleted() -> Iterator[None]:
    """In place of all that Django does after a test that commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", empty)
        yield


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    """Modules that keep ids in memory forget them: the rows they name are rolled back."""
    _forget()
    yield
    _forget()
    _end_writers()


@pytest.fixture(autouse=True)
def no_wait_for_echoes(settings) -> None:
    """A send whose outcome is not known is `unknown` at once, unless the test says otherwise."""
    settings.OMNI_ECHO_WAIT_SECONDS = 0


def _end_writers() -> None:
    """Threads of the front door that a test woke; spool and tables of the next are not theirs."""
    for line in (writer._small, writer._large):
        if line._thread is not None and line._thread.is_alive():
            line.end()
            line._thread.join(10)


def _forget() -> None:
    revision.forget()
    Remembered.forget_all()
    conversations.forget()
    contacts.forget()
    knocks.forget()
    quotas.forget()
    wrong_keys.brake.forget()
    bulkhead.forget()
    breaker.forget()
    matching.forget()
    runner.forget()
    clockwork.forget()


@pytest.fixture
def clock(request) -> Iterator["Clock"]:
    """Moves the database's clock, for this connection."""
    request.getfixturevalue("db")
    moved = Clock()
    yield moved
    moved.set(0)


@dataclass
class Clock:
    """offset: seconds the database is ahead."""

    offset: float = 0

    def forward(self, **by: float) -> None:
        """Let time pass: `hours=3`."""
        self.set(self.offset + timedelta(**by).total_seconds())

    def set(self, offset: float) -> None:
        self.offset = offset
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('omni.clock_offset', %s, false)",
                           [f"{offset} seconds" if offset else ""])


class ProbeParams(Params):
    say: Any = None


@dataclass
class Probe:
    """An action that remembers its calls and ends as told: `answers` first, else done."""

    calls: list[Any] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def __call__(self, event: Any, params: ProbeParams, context: Context) -> Outcome:
        """Remember the call."""
        self.calls.append(params.say)
        self.contexts.append(context)
        answer = self.answers.pop(0) if self.answers else done(said=params.say)
        if callable(answer):
            answer = answer(event, context)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def probe() -> Iterator[Probe]:
    """The actions custom.look, custom.change and custom.send: no effect, a write, a send."""
    found = Probe()
    effects = {"custom.look": "none", "custom.change": "write", "custom.send": "send"}
    for name, effect in effects.items():
        base.DECLARED[name] = base.Action(
            id=name, function=found, params=ProbeParams, output=base.Output, effects=effect,
            timeout=30.0, idempotent=effect == "none", secret=frozenset(), version=1)
    library.actions.cache_clear()
    yield found
    for name in effects:
        del base.DECLARED[name]
    library.actions.cache_clear()
    definitions.forget()
