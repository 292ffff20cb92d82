"""Runs over REST."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import EventAction
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import make_event, make_instance, make_workflow
from tests.plans import wasted

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/runs/"
TEXT = """\
omni: 1
id: greet
trigger:
  - event: message.text
steps:
  - stop: done
"""


@pytest.fixture
def workflow():
    return make_workflow(TEXT)


def make_run(event, workflow, **fields):
    now = timezone.now()
    return Run.objects.create(**{
        "instance": event.instance, "event": event, "workflow": workflow,
        "version": workflow.latest(), "available_at": now, "created_at": now, **fields})


def make_outcome(run, path):
    now = timezone.now()
    return EventAction.objects.create(
        instance=run.instance, event=run.event, run_id=run.pk, workflow="greet", path=path,
        step_kind="stop", status="done", started_at=now, ended_at=now, duration_ms=1.0)


def test_runs_between_two_ids_come_oldest_first_and_end_before_the_second(workflow):
    shop = make_instance()
    made = [make_run(make_event(shop), workflow).pk for _ in range(6)]
    client = client_of("read")

    first = client.get(f"{RUNS}?limit=2&after={made[0]}&before={made[4]}").data
    second = client.get(first["next"]).data

    assert [[row["id"] for row in page["results"]] for page in (first, second)] == [
        made[1:3], made[3:4]]
    assert second["next"] is None


@pytest.mark.parametrize(("query", "states"), [
    ("", {"queued", "failed"}),
    ("?state=failed", {"failed"}),
    ("?instance=desk", {"failed"}),
    ("?workflow=greet", {"queued", "failed"}),
    ("?workflow=other", set()),
    ("?event=999999", set()),
])
def test_runs_are_filtered(workflow, query, states):
    make_run(make_event(make_instance("shop")), workflow)
    make_run(make_event(make_instance("desk")), workflow, state="failed")

    rows = client_of("read").get(f"{RUNS}{query}").data["results"]

    assert {row["state"] for row in rows} == states


@pytest.mark.parametrize("query", ["workflow=greet", "instance=shop"])
def test_runs_that_are_old_are_found_without_a_walk_over_the_newer_ones(workflow, query):
    make_run(make_event(make_instance("shop")), workflow)
    other, event = make_workflow(TEXT.replace("greet", "other")), make_event(make_instance("desk"))
    now, version = timezone.now(), other.latest()
    Run.objects.bulk_create(Run(
        instance=event.instance, event=event, workflow=other, version=version, replay_no=number,
        available_at=now, created_at=now) for number in range(3_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    with CaptureQueriesContext(connection) as asked:
        found = client_of("read").get(f"{RUNS}?{query}").data["results"]

    assert len(found) == 1
    thrown = [wasted(one["sql"])[0] for one in asked if one["sql"].startswith("SELECT")]
    assert max(thrown) < 100, thrown


@pytest.mark.parametrize("rows", [1, 15])
def test_page_of_runs_is_a_fixed_number_of_statements(workflow, rows, django_assert_num_queries):
    shop = make_instance()
    for _ in range(rows):
        make_run(make_event(shop), workflow)
    client = client_of("read")
    client.get(RUNS)

    with django_assert_num_queries(2):  # key, runs
        answer = client.get(RUNS)

    assert len(answer.data["results"]) == rows


def test_canceled_run_is_shown_so_and_cannot_be_canceled_again(workflow):
    run = make_run(make_event(make_instance()), workflow)
    client = client_of("send")

    first, again = (post_json(client, f"{RUNS}{run.pk}/cancel/") for _ in range(2))

    assert first.status_code == 200 and first.data["state"] == "canceled"
    assert (again.status_code, again.data["code"]) == (409, "stale")


def test_rerun_is_a_new_run_of_the_same_event(workflow):
    run = make_run(make_event(make_instance()), workflow, state="failed")

    answer = post_json(client_of("send"), f"{RUNS}{run.pk}/rerun/")

    assert answer.status_code == 201, answer.data
    assert (answer.data["event"], answer.data["replay_no"]) == (run.event_id, 1)
    assert answer.data["id"] != run.pk


def test_rerun_of_a_live_run_is_a_conflict(workflow):
    run = make_run(make_event(make_instance()), workflow)

    assert post_json(client_of("send"), f"{RUNS}{run.pk}/rerun/").status_code == 409


@pytest.mark.parametrize("verb", ["rerun", "cancel"])
def test_read_scope_may_not_steer_runs(workflow, verb):
    run = make_run(make_event(make_instance()), workflow)

    assert post_json(client_of("read"), f"{RUNS}{run.pk}/{verb}/").status_code == 403


@pytest.mark.parametrize("verb", ["rerun", "cancel"])
def test_foreign_run_looks_like_a_missing_one(workflow, verb):
    run = make_run(make_event(make_instance()), workflow)
    client = client_of("send", instances=[make_instance("desk")])

    foreign = post_json(client, f"{RUNS}{run.pk}/{verb}/")
    missing = post_json(client, f"{RUNS}999999/{verb}/")

    assert foreign.status_code == missing.status_code == 404
    assert foreign.data["detail"] == missing.data["detail"]
    run.refresh_from_db()
    assert run.state == "queued"


def test_outcomes_of_a_run_come_in_order(workflow):
    event = make_event(make_instance())
    run, other = make_run(event, workflow), make_run(event, workflow, replay_no=1)
    made = [make_outcome(run, f"steps[{index}]").pk for index in range(3)]
    make_outcome(other, "steps[0]")

    shown = client_of("read").get(f"{RUNS}{run.pk}/actions/").data["results"]

    assert [row["id"] for row in shown] == made
