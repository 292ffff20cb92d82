"""A claim sees runs that may begin, whatever stands in line or waits before them."""

import pytest
from django.conf import settings
from django.db import connection

from registry.engine.work import queue
from tests.factories import GREETER, make_event, make_instance, make_run, make_workflow
from tests.plans import nodes

pytestmark = pytest.mark.django_db
MANY = 5_000
_COPIES = """
INSERT INTO omni_runs (instance_id, event_id, workflow_id, version_id, replay_no, inputs, state,
    priority, slot_key, slot_limit, batch, available_at, token, deaths, step_path, depth, progress,
    parent_path, parent_iteration, lease_owner, reason, code, created_at)
SELECT instance_id, event_id, workflow_id, version_id, n, inputs, %s, priority, %s, 2, batch,
    available_at - interval '1 hour', token, deaths, step_path, depth, progress, parent_path,
    parent_iteration, lease_owner, reason, code, created_at
FROM omni_runs CROSS JOIN generate_series(1, %s) AS n WHERE id = %s
"""


def fill(run, *, state, slot_key=None):
    """Copies of a run that have been due for an hour."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no line: it is full anyway
        cursor.execute(_COPIES, [state, slot_key, MANY, run.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("ANALYZE omni_runs")


@pytest.fixture
def stranger():
    return make_run(make_event(make_instance("stranger")), workflow=make_workflow())


@pytest.fixture
def mine(stranger):
    """A run of another account that came before."""
    return make_run(make_event(make_instance()), workflow=stranger.workflow)


def visited(*, limit, share):
    """Rows a claim looks at."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + queue._CLAIM_SHARED, [
            limit, share, "{}", limit, "w1", settings.OMNI_LEASE_SECONDS])
        plan = cursor.fetchone()[0][0]["Plan"]
    return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"]
               for node in nodes(plan) if node.get("Relation Name") == "omni_runs"
               and "Scan" in node["Node Type"])


def test_claim_looks_at_no_run_in_line(stranger, mine):
    paused = make_workflow(GREETER.replace("greeter", "paused"))
    paused.mode = "paused"
    paused.save()
    other = make_run(mine.event, workflow=paused, state="blocked")
    fill(mine, state="blocked", slot_key="full")
    fill(other, state="blocked")

    rows = visited(limit=4, share=2)

    mine.refresh_from_db()
    stranger.refresh_from_db()
    assert (mine.state, stranger.state) == ("running", "running")
    assert 0 < rows < 100


def test_claim_takes_a_strangers_run_first_where_another_account_has_a_backlog(stranger, mine):
    fill(mine, state="queued")

    claims = queue.claim("w1", limit=2, share=2)

    assert stranger.pk in {claim.run_id for claim in claims} and len(claims) == 2


def test_claim_looks_at_no_more_of_a_backlog_than_it_may_take(stranger, mine):
    fill(mine, state="queued")

    assert 0 < visited(limit=8, share=4) < 100
