"""Back-tests over REST: jobs with limits, seen and ended by whom they concern."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from connections.access import ApiKey
from registry.api.backtests import wait_of
from registry.models import TrialJob
from registry.trials import elsewhere, jobs
from tests.api_client import client_of, post_json
from tests.factories import NOON, make_event, make_instance, make_workflow

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
trigger: [{event: message.text, where: event.text}]
steps:
  - {id: reply, uses: route.reply, with: {text: Hello}}
"""
GREET = "/api/v1/workflows/greet/"
SPAN = {"since": NOON.isoformat(), "until": (NOON + timedelta(1)).isoformat()}


@pytest.fixture(autouse=True)
def workflow():
    return make_workflow(TEXT)


def newest_key():
    return ApiKey.objects.latest("id").principal()


def queued(who, kind="backtest"):
    return jobs.queue(kind, "{}", who, workflow="greet")


def test_report_is_kept_and_listed(workflow):
    make_event(make_instance(), received_at=NOON)
    client = client_of("workflows")

    report = post_json(client, f"{GREET}backtest/", SPAN)

    [job] = client.get(f"{GREET}backtests/").data["results"]
    assert report.status_code == 200 and job["report"] == report.data
    assert (job["state"], job["workflow"], job["problems"]) == ("done", "greet", [])
    assert client.get(f"{GREET}backtests/{job['id']}/").data == job


def test_fourth_backtest_of_one_key_is_refused_with_the_limit_and_others_are_not():
    client = client_of("workflows")
    for _ in range(3):
        queued(newest_key())

    refused = post_json(client, f"{GREET}backtest/", SPAN)
    other = post_json(client_of("workflows"), f"{GREET}backtest/", {**SPAN})

    assert refused.status_code == 429 and refused.headers["Retry-After"]
    assert "3 back-tests of yours" in refused.data["detail"]
    assert other.status_code in (200, 202)


def test_one_of_each_is_done_before_the_second_of_anybody():
    client_of("workflows")
    one = newest_key()
    client_of("workflows")
    two = newest_key()
    first, second, third = queued(one), queued(one), queued(two)

    assert [jobs.take("backtest", "w").id for _ in range(2)] == [first, third]
    assert jobs.take("backtest", "w") is None
    jobs.cancel(first, reason="over")
    assert jobs.take("backtest", "w").id == second


def test_short_trials_do_not_wait_behind_backtests():
    client_of("workflows")
    queued(newest_key())
    short = queued(newest_key(), "trial")

    assert jobs.take("trial", "w").id == short


def test_callers_of_single_instances_see_their_own_backtests_only():
    mine, other = make_instance("mine"), make_instance("other")
    client_of("workflows")
    foreign = queued(newest_key())
    limited = client_of("workflows", instances=[mine])
    own = queued(newest_key())
    wider = client_of("workflows", instances=[mine, other])
    queued(newest_key())

    assert [job["id"] for job in limited.get(f"{GREET}backtests/").data["results"]] == [own]
    assert limited.get(f"{GREET}backtests/{foreign}/").status_code == 404
    assert limited.delete(f"{GREET}backtests/{foreign}/").status_code == 404
    assert wider.get(f"{GREET}backtests/{own}/").status_code == 404
    assert client_of("workflows").get(f"{GREET}backtests/{own}/").status_code == 200
    assert client_of("read").get(f"{GREET}backtests/{own}/").status_code == 403


def test_report_of_an_instance_that_was_taken_from_the_key_is_not_shown():
    mine, other = make_instance("mine"), make_instance("other")
    client = client_of("workflows", instances=[mine, other])
    key = ApiKey.objects.latest("id")
    number = queued(key.principal())

    key.instances.set([mine])

    assert client.get(f"{GREET}backtests/{number}/").status_code == 404


def test_backtest_is_canceled_and_then_deleted():
    client = client_of("workflows")
    address = f"{GREET}backtests/{queued(newest_key())}/"

    assert client.delete(address).status_code == 204
    assert client.get(address).data["state"] == "canceled"
    assert "canceled by key:" in client.get(address).data["reason"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_what_a_canceled_job_still_comes_to_is_not_stored():
    client_of("workflows")
    queued(newest_key())
    job = jobs.take("backtest", "w")
    jobs.cancel(job.id, reason="no longer wanted")

    jobs.end("w", job, state="done", result="{}")

    assert not jobs.beat("w", {job: (1, 2)})
    assert TrialJob.objects.get().state == "canceled"


def test_job_of_a_dead_process_is_given_away_and_the_dead_can_store_nothing():
    client_of("workflows")
    queued(newest_key())
    first = jobs.take("backtest", "w")
    TrialJob.objects.update(beat_at=timezone.now() - timedelta(minutes=1))

    jobs.settle_dead()
    second = jobs.take("backtest", "w")
    jobs.end("w", first, state="failed")

    assert (second.id, second.attempt) == (first.id, 2)
    assert TrialJob.objects.get().state == "running"
    TrialJob.objects.update(beat_at=timezone.now() - timedelta(minutes=1))
    jobs.settle_dead()
    assert TrialJob.objects.get().state == "failed"


def test_old_results_are_deleted(clock):
    client_of("workflows")
    old = queued(newest_key())
    jobs.cancel(old, reason="")
    live = queued(newest_key())
    queued(newest_key(), "trial")

    clock.forward(days=6)
    jobs.sweep()
    assert set(TrialJob.objects.values_list("id", flat=True)) == {old, live}
    clock.forward(days=8)
    jobs.sweep()
    assert [job.pk for job in TrialJob.objects.all()] == [live]


def test_backtest_with_errors_is_refused_as_ever():
    answer = post_json(client_of("workflows"), f"{GREET}backtest/", {**SPAN, "text": "omni: 2"})

    assert answer.status_code == 400 and answer.data["errors"][0]["line"] == 1


def test_queue_is_asked_in_few_statements(django_assert_num_queries):
    client_of("workflows")
    who = newest_key()
    connection.ensure_connection()

    with django_assert_num_queries(1):
        queued(who)
    with django_assert_num_queries(1):
        jobs.take("backtest", "w")


@pytest.mark.parametrize(("verb", "body"), [
    ("dry-run", {"event": "message.text"}), ("test", {}),
    ("publish", {"text": TEXT + "tests: [{event: message.text, expect: {matched: true}}]\n"})])
def test_seventh_trial_of_one_key_is_refused_with_the_limit(settings, verb, body):
    settings.OMNI_GROUP_COMMIT = True
    client = client_of("workflows")
    for _ in range(6):
        queued(newest_key(), "trial")

    refused = post_json(client, f"{GREET}{verb}/", body)

    assert refused.status_code == 429 and refused.headers["Retry-After"]
    assert "6 trials and tests of workflows of yours" in refused.data["detail"]
    assert TrialJob.objects.count() == 6


def test_threads_that_may_wait_are_left_to_other_requests(settings, monkeypatch):
    settings.OMNI_GROUP_COMMIT = True
    monkeypatch.setattr(elsewhere, "_waiters", threading.BoundedSemaphore(1))
    client = client_of("workflows")
    with elsewhere._waiting():
        trial = post_json(client, f"{GREET}dry-run/", {"event": "message.text"})
        backtest = post_json(client, f"{GREET}backtest/", SPAN)

    assert trial.status_code == 429 and "wait for trials already" in trial.data["detail"]
    assert (backtest.status_code, backtest.data["state"]) == (202, "queued")
    assert client.get(backtest.headers["Location"]).data["events_done"] == 0


@pytest.mark.parametrize(("prefer", "seconds"), [
    ("", 20), ("wait=5", 5), ("respond-async, wait=0", 0), ("wait=9999", 60), ("wait=soon", 20)])
def test_caller_says_how_long_it_waits(rf, prefer, seconds):
    assert wait_of(rf.post("/", headers={"Prefer": prefer})) == seconds
