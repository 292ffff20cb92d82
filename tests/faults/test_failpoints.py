"""kill -9 at each named place of the way: the event is there once, the run ends, one send at most.

`tests/faults/test_kills.py` waits for real leases; here the leases of the dead end at once.
"""

from collections.abc import Iterator

import pytest

from tests.faults.system import System, unique, until
from tests.faults.traffic import Entry, ledger, sends

pytestmark = pytest.mark.faults
SECONDS = 40.0
_DEAD_ALERTS = """
SELECT text FROM omni_events
WHERE event_type = 'system.run.dead' AND (content ->> 'run')::bigint = %s
"""
_RUN = """
SELECT r.id, r.state, r.deaths, r.code, r.reason FROM omni_runs r
JOIN omni_events e ON e.id = r.event_id WHERE e.provider_message_id = %s
"""


@pytest.fixture
def healthy(system: System) -> Iterator[System]:
    """The system, armed with nothing when the test is over."""
    yield system
    for name in system.armed():
        system.kill(name)
        (system.start_web if name == "web" else system.start_workers)()


def restart_workers(system: System, *, failpoint: str = "") -> None:
    system.kill("worker")
    system.start_workers(failpoint=failpoint)


def post_and_await_death(system: System, message_id: str, *, failpoint: str) -> None:
    """Post a message, arm the cluster, and wait until one of its processes is there no more."""
    system.kill("worker")
    assert system.post(message_id) == 202
    system.start_workers(failpoint=f"{failpoint}:kill")
    await_death(system, "worker")


def await_death(system: System, name: str) -> None:
    seen = system.family(name)

    def one_died() -> bool:
        present = system.family(name)
        seen.update(present)
        return bool(seen - present) or not system.is_alive(name)

    until(one_died, seconds=SECONDS, what=f"a process of {name} died")


def await_end(system: System, message_id: str) -> Entry:
    """What became of the message, when its run has ended."""
    def ended() -> Entry | None:
        system.end_leases_of_the_dead()
        entry = ledger(system, message_id).get(message_id)
        return entry if entry and entry.ended else None

    return until(ended, seconds=SECONDS, what=f"the run of {message_id} has ended")


@pytest.mark.parametrize("failpoint", ["route.precommit", "route.committed", "run.claimed",
                                       "step.start", "advance.precommit", "outcome.precommit",
                                       "outcome.committed"])
def test_death_of_a_worker_outside_of_a_call_changes_nothing_for_the_sender(
        healthy: System, failpoint):
    message_id = unique("F")
    post_and_await_death(healthy, message_id, failpoint=failpoint)

    restart_workers(healthy)
    entry = await_end(healthy, message_id)

    assert entry == Entry(events=1, runs=["done"], outbox=["succeeded"])
    assert sends(healthy, message_id)[message_id] == 1


@pytest.mark.parametrize(("failpoint", "arrived", "cluster"), [
    ("attempt.committed", 0, "the same cluster"), ("call.answered", 1, "a new cluster")])
def test_send_that_a_death_interrupted_is_unknown_and_never_repeated(
        healthy: System, failpoint, arrived, cluster):
    message_id = unique("F")
    post_and_await_death(healthy, message_id, failpoint=failpoint)

    if cluster == "a new cluster":
        restart_workers(healthy)
    entry = await_end(healthy, message_id)

    assert entry == Entry(events=1, runs=["failed"], outbox=["unknown"])
    assert sends(healthy, message_id)[message_id] == arrived


@pytest.mark.parametrize(("failpoint", "events"), [("ingest.precommit", 0),
                                                   ("ingest.committed", 1)])
def test_delivery_whose_answer_a_death_swallowed_is_one_event_when_sent_again(
        healthy: System, failpoint, events):
    message_id = unique("F")
    healthy.kill("web")
    healthy.start_web(failpoint=f"{failpoint}:kill")

    first = healthy.post(message_id)
    await_death(healthy, "web")
    stored = len(ledger(healthy, message_id))
    healthy.kill("web")
    healthy.start_web()
    again = healthy.post(message_id)
    entry = await_end(healthy, message_id)

    assert (first, stored, again) == (0, events, 200 if events else 202)
    assert entry == Entry(events=1, runs=["done"], outbox=["succeeded"])
    assert sends(healthy, message_id)[message_id] == 1


def test_run_that_kills_its_workers_is_dead_and_the_next_of_its_conversation_goes_on(
        healthy: System):
    deadly, following = unique("F"), unique("F")
    post_and_await_death(healthy, deadly, failpoint="step.start")
    assert healthy.post(following) == 202  # waits its turn behind the deadly one

    await_end(healthy, deadly)
    restart_workers(healthy)
    entry = await_end(healthy, following)

    run_id, state, deaths, code, reason = healthy.rows(_RUN, deadly)[0]
    assert (state, deaths, code) == ("dead", 3, "worker_died")
    assert reason.startswith("the worker died 3 times in a row at steps[0]")
    assert healthy.rows(_DEAD_ALERTS, run_id) == [(reason,)]
    assert sends(healthy, deadly) == {}
    assert entry == Entry(events=1, runs=["done"], outbox=["succeeded"])
    assert sends(healthy, following)[following] == 1
