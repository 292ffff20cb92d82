"""One account's slow agent or long queue costs the runs of others nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.accounts import ended, make_account
from tests.faults.slow_agent import SlowAgent
from tests.faults.system import System, unique, until

pytestmark = pytest.mark.faults
SLOW_SECONDS = 40.0
MESSAGES = 30  # more than all threads of all workers
BACKLOG = 600
STRANGERS = 5
ROWS_READ = 300  # of runs, for one message of a stranger, looks of the clock included
STATISTICS_SECONDS = 2.0  # busy sessions tell once a second what they read
QUEUED = """
omni: 1
id: {slug}
priority: 5
claim: reply
concurrency: {{limit: 2, key: event.instance_id}}
trigger: [{{event: message.text}}]
steps:
  - uses: route.agent.default
    timeout: 120s
    with: {{prompt: "${{{{ event.text }}}}", history: 0, typing: false}}
"""


@pytest.fixture
def agent(system: System) -> Iterator[SlowAgent]:
    with SlowAgent(seconds=SLOW_SECONDS) as agent:
        yield agent


def test_stranger_is_answered_while_an_agent_of_another_account_hangs(
        system: System, agent: SlowAgent):
    slug, stranger = unique("slow").lower(), unique("S")
    make_account(system, slug, agent_url=agent.url)
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda number: system.post(f"{slug}-{number}", person=8000 + number,
                                                    slug=slug), range(MESSAGES)))
    until(lambda: agent.asked, seconds=20, what="the slow agent is asked")

    assert system.post(stranger, person=8100) == 202
    until(lambda: ended(system, stranger) or agent.answered, seconds=SLOW_SECONDS,
          what="the stranger's run has ended")

    assert (ended(system, stranger), agent.answered) == (1, [])
    agent.let_go()
    until(lambda: ended(system, slug) >= MESSAGES, seconds=60, what="the others end as well")


def test_long_queue_of_one_account_is_not_read_for_the_runs_of_another(
        system: System, agent: SlowAgent):
    slug, stranger = unique("queue").lower(), unique("S")
    make_account(system, slug, agent_url=agent.url)
    text = QUEUED.format(slug=slug)
    system.api("POST", "workflows/import/", {"text": text})
    system.api("PUT", "bindings/", {"workflow": slug, "scope": {"instance": slug}})
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda number: system.post(f"{slug}-{number}", person=8200 + number % 9,
                                                    slug=slug), range(BACKLOG)))
    until(lambda: system.rows("SELECT count(*) FROM omni_runs r JOIN omni_workflows w "
                              "ON w.id = r.workflow_id WHERE w.slug = %s", slug) == [(BACKLOG,)],
          seconds=60, what="all of the queue is routed")

    before = rows_read(system)
    for number in range(STRANGERS):
        assert system.post(f"{stranger}-{number}", person=8300 + number) == 202
        until(lambda count=number + 1: ended(system, stranger) == count, seconds=30,
              what="the stranger's run has ended")
    read = rows_read(system) - before

    assert agent.answered == [] and read / STRANGERS < ROWS_READ
    agent.let_go()
    until(lambda: ended(system, slug) == BACKLOG, seconds=120, what="the queue is worked off")


def rows_read(system: System) -> int:
    """Rows of runs that were read so far, by any statement of any session."""
    threading.Event().wait(STATISTICS_SECONDS)
    return system.rows("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables "
                       "WHERE relname = 'omni_runs'")[0][0]
