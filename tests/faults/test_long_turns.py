"""A step that takes longer than a turn of its worker is done once, by the worker that began it."""

from collections.abc import Iterator

import pytest

from tests.faults.accounts import make_account
from tests.faults.slow_agent import SlowAgent
from tests.faults.system import System, unique, until
from tests.faults.test_failpoints import restart_workers

pytestmark = pytest.mark.faults
AGENT_SECONDS = 9.0
SHORT_TURNS = """
from registry.engine.work import drain
drain.TURN_SECONDS = drain.END_SECONDS = 1.0
"""
_RUN = """
SELECT r.state, r.token FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
WHERE e.provider_message_id = %s AND r.state NOT IN ('queued', 'running')
"""


@pytest.fixture
def restless(system: System) -> Iterator[System]:
    """The system with workers whose turns are far shorter than what they work on."""
    system.kill("worker")
    system.start_workers(first=SHORT_TURNS)
    yield system
    restart_workers(system)


def test_agent_that_outlasts_a_turn_is_asked_once(restless: System):
    slug, message_id = unique("long").lower(), unique("L")
    with SlowAgent(seconds=AGENT_SECONDS) as agent:
        make_account(restless, slug, agent_url=agent.url)
        assert restless.post(message_id, person=8400, slug=slug) == 202
        until(lambda: restless.rows(_RUN, message_id) or agent.asked[message_id] > 1,
              seconds=60, what="the run has ended")

        assert agent.asked == {message_id: 1}
    assert restless.rows(_RUN, message_id) == [("done", 1)]
    assert len(restless.peer.texts(message_id)) == 1
