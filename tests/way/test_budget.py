"""What a message may cost: statements and transactions, counted by the server of a real system.

Counts do not depend on the machine, so this is an ordinary test. A budget only ever gets smaller:
who makes the way of a message shorter lowers it here. `python -m tests.benchmarks.run --show`
lists the statements in order.
"""

from collections.abc import Iterator

import pytest

from tests.benchmarks import counting, system
from tests.benchmarks.statements import StatementLog
from tests.benchmarks.system import System

pytestmark = [pytest.mark.slow, pytest.mark.peers]
# What: (statements, transactions) at most; counted on 2026-11-28 -> what must be reached.
BUDGET = {
    "lone": (24, 15),  # 18 / 10 -> 18 / 8
    "under_way": (15, 12),  # 11 / 8 -> 5 / 1.5
    "echo": (15, 7),  # 9 / 2 -> no gate
}
IDLE_PER_PROCESS = 3.0  # statements a second of the busiest process; 1.8 -> 2
IDLE_SECONDS = 5.0


@pytest.fixture(scope="module")
def running() -> Iterator[System]:
    """`manage.py up` with the settings of a new installation, warm, and a peer that answers."""
    with system.database() as environment, system.running(environment) as started:
        counting.warm(started)
        yield started


@pytest.fixture
def log(running: System) -> Iterator[StatementLog]:
    with StatementLog(running.url) as log:
        yield log


def test_lone_message_is_answered_within_its_budget(running: System, log: StatementLog):
    counted = counting.lone(running, log, "lone-")

    assert_within("lone", running, counted)


def test_messages_that_are_under_way_together_share_their_statements(
        running: System, log: StatementLog):
    counted = counting.under_way(running, log, "together-", seconds=60, count=128)

    assert_within("under_way", running, counted)


def test_own_echo_costs_little_more_than_its_storing(running: System, log: StatementLog):
    counted = counting.echoes(running, log, "echoed-")

    assert_within("echo", running, counted)


def test_idle_process_asks_the_database_seldom(running: System, log: StatementLog):
    rates = counting.idle(running, log, seconds=IDLE_SECONDS)

    assert max(rates.values()) <= IDLE_PER_PROCESS, rates


def assert_within(what: str, running: System, counted: counting.Counted) -> None:
    """Fails with the statements of the last window, in order, when they are too many."""
    found, most = counted.per_message(), BUDGET[what]
    assert all(number <= limit for number, limit in zip(found, most, strict=True)), "\n".join([
        f"{what}: {found[0]:.1f} statements, {found[1]:.1f} transactions; at most {most}",
        *counting.show(running, counted)[:300]])
