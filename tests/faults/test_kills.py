"""kill -9 under traffic: nothing acknowledged is lost, nothing is done twice, work goes on."""

import os
import signal

import pytest

from tests.faults.system import System, until
from tests.faults.traffic import Traffic, ledger, sends

pytestmark = pytest.mark.faults
RECOVERED_SECONDS = 20.0
_WORKED = """
SELECT count(*) FROM omni_runs
WHERE greatest(ended_at, started_at, lease_until - interval '4 s') > %s
"""


def kill_web(system: System) -> None:
    system.kill("web")
    system.start_web()


def kill_one_worker(system: System) -> None:
    owner = until(lambda: system.rows(
        "SELECT lease_owner FROM omni_runs WHERE state = 'running'"), seconds=20,
        what="a worker holds a run")[0][0]
    os.kill(int(owner.split(":")[1]), signal.SIGKILL)


def kill_cluster(system: System) -> None:
    system.kill("worker")
    system.start_workers()


def kill_database(system: System) -> None:
    system.kill_database()
    system.start_database()


def cut_connections(system: System) -> None:
    """PostgreSQL stays, every session is ended: what a failover or an administrator does."""
    system.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()")


@pytest.mark.parametrize("kill", [kill_web, kill_one_worker, kill_cluster, kill_database,
                                  cut_connections], ids=lambda kill: kill.__name__)
def test_what_was_acknowledged_is_done_once_and_work_goes_on(system: System, kill):
    traffic = Traffic(system)
    until(lambda: len(traffic.acknowledged) >= 30, seconds=30, what="traffic flows")
    until(lambda: sends(system, traffic.tag), seconds=30, what="the first answers are out")

    killed_at = system.rows("SELECT clock_timestamp()")[0][0]
    kill(system)

    until(lambda: system.rows(_WORKED, killed_at)[0][0], seconds=RECOVERED_SECONDS,
          what="a run was worked on after the kill")
    traffic.finish()
    entries, sent = ledger(system, traffic.tag), sends(system, traffic.tag)
    assert set(entries) == set(traffic.ids)
    assert {one.events for one in entries.values()} == {1}
    assert {len(one.runs) for one in entries.values()} == {1}
    assert [message_id for message_id, count in sent.items() if count > 1] == []
    assert {message_id: (one.runs, one.outbox) for message_id, one in entries.items()
            if one.outbox not in (["succeeded"], ["unknown"])} == {}
    assert {message_id for message_id, one in entries.items()
            if one.outbox == ["succeeded"]} <= set(sent)
