"""Trials and back-tests in a process of their own, asked for over REST as by a web process."""

import os
import signal
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from registry.models import TrialJob
from registry.trials import backtest, elsewhere, jobs, starting, trial
from registry.trials.starting import Starter
from registry.versions import drafts, match_diff, publishing
from tests.admin_world import sign_in
from tests.api_client import client_of, post_json
from tests.factories import NOON, make_event, make_instance
from tests.faults.system import until
from tests.registry.admin.test_admin import form_of, page

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
TEXT = """\
omni: 1
id: greet
trigger: [{event: message.text, where: event.text}]
steps:
  - {id: reply, uses: route.reply, with: {text: "Hello ${{ event.text }}"}}
tests:
  - {event: {fixture: message.text, text: Ana}, expect: {sends: [{text: Hello Bo}]}}
"""
_CLAUSE = "len(unique(split(inputs.words, ' '))) == 1"
SLOW = TEXT.replace(  # 10 ms or so for an event
    "where: event.text", f"where: \"{' and '.join([_CLAUSE] * 12)}\"") + (
    f"inputs: {{words: {{type: text, default: '{'word ' * 2000}word'}}}}\n")
GREET = "/api/v1/workflows/greet/"
SPAN = {"since": NOON.isoformat(), "until": (NOON + timedelta(1)).isoformat()}


class Children(Starter):
    """Starts the process as a worker does, and ends it after the test."""

    def __init__(self):
        super().__init__()
        self.started = []

    def ask(self):
        if not self.started or self.started[-1].poll() is not None:
            self.started.append(starting.popen(cluster=os.getpid()))

    @property
    def pid(self):
        return self.started[-1].pid

    def kill(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.started[-1].wait(10)


@pytest.fixture
def children(monkeypatch, settings):
    """As in a web process. This one evaluates nothing: it could not."""
    settings.OMNI_GROUP_COMMIT = True
    found = Children()
    monkeypatch.setattr(elsewhere, "starter", found)

    def never(*args, **kwargs):
        raise AssertionError("the web process evaluates a workflow")

    monkeypatch.setattr(trial, "try_out", never)
    monkeypatch.setattr(backtest, "backtest", never)
    yield found
    if found.started:
        found.kill()


@pytest.fixture
def greet():
    return publishing.publish_text(TEXT, actor="test", skip_tests=True).workflow


def test_dry_run_is_done_in_another_process_and_answered_as_ever(greet, children):
    event = make_event(make_instance(), text="Ana", conversation_ref="place")
    client = client_of("workflows")

    answers = [post_json(client, f"{GREET}dry-run/", {"event": event.pk}) for _ in range(2)]
    wrong = [post_json(client, f"{GREET}dry-run/", body) for body in (
        {"event": 987654}, {"event": "message.txt"}, {"event": "message.text", "text": "omni: 2"},
        {"event": "message.text", "pins": {"rply": {}}})]

    assert [answer.data["sends"][0]["text"] for answer in answers] == ["Hello Ana"] * 2
    assert [answer.status_code for answer in wrong] == [404, 400, 400, 400]
    assert wrong[2].data["errors"][0]["line"] and "did you mean 'reply'" in wrong[3].data["detail"]
    assert len(children.started) == 1 and not TrialJob.objects.exists()


def test_tests_and_publishing_ask_the_other_process_too(greet, children):
    client = client_of("workflows")

    tried = post_json(client, f"{GREET}test/")
    refused = post_json(client, f"{GREET}publish/", {"text": TEXT + "# changed\n"})
    right = TEXT.replace("Hello Bo", "Hello Ana")
    published = post_json(client, f"{GREET}publish/", {"text": right})

    assert [failure["line"] for failure in tried.data["results"][0]["failures"]] == [7]
    assert tried.data["results"][0]["trial"]["state"] == "done"
    assert (refused.status_code, refused.data["errors"][0]["code"]) == (400, "test_failed")
    assert (published.status_code, published.data["number"]) == (201, 2)


def test_backtest_is_answered_with_its_report_and_kept(greet, children):
    shop = make_instance()
    for _ in range(3):
        make_event(shop, received_at=NOON)

    answer = post_json(client_of("workflows"), f"{GREET}backtest/", SPAN)

    job = TrialJob.objects.get()
    assert (answer.status_code, answer.data["matched"]) == (200, 3)
    assert (job.state, job.done, job.total) == ("done", 3, 3)
    assert int(job.owner.rpartition(":")[2]) == children.pid != os.getpid()


def long_backtest(client, events=600, **headers):
    shop = make_instance()
    for number in range(events):
        make_event(shop, received_at=NOON + timedelta(seconds=number))
    return post_json(client, f"{GREET}backtest/", {**SPAN, "text": SLOW}, Prefer="wait=0",
                     **headers)


def test_long_backtest_is_a_job_that_tells_how_far_it_is_and_can_be_canceled(greet, children):
    client = client_of("workflows")

    asked = long_backtest(client)
    address = asked.headers["Location"]
    far = until(lambda: client.get(address).data["events_done"], seconds=30, what="progress")
    others = post_json(client_of("workflows"), f"{GREET}dry-run/", {"event": "message.text"})
    ended = client.delete(address)

    assert asked.status_code == 202 and asked.data["state"] == "queued"
    assert 0 < far < 600 and others.status_code == 200
    assert ended.status_code == 204 and client.get(address).data["state"] == "canceled"
    until(lambda: not connection_of_backtests(), seconds=10, what="the process gives it up")


def connection_of_backtests():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                       "'omni-trials' AND datname = current_database() AND state <> 'idle' "
                       "AND query LIKE '%%omni_events%%'")
        return cursor.fetchone()[0]


def test_backtest_whose_process_is_killed_goes_on_in_the_next(greet, children, monkeypatch):
    client = client_of("workflows")
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 4.0)
    address = long_backtest(client, events=300).headers["Location"]
    until(lambda: client.get(address).data["events_done"], seconds=30, what="progress")
    first = children.pid

    children.kill()

    found = until(lambda: (data := client.get(address).data)["state"] == "done" and data,
                  seconds=60, what="the back-test is done")
    assert found["report"]["events"] == 300 and children.pid != first


def test_backtest_that_kills_its_processes_ends_as_failed(greet, children, monkeypatch):
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 4.0)
    client = client_of("workflows")
    address = long_backtest(client).headers["Location"]

    for attempt in (1, 2):
        until(lambda attempt=attempt: client.get(address).data and TrialJob.objects.filter(
            state="running", attempts=attempt).exists(), seconds=30, what="begun")
        children.kill()

    found = until(lambda: (data := client.get(address).data)["state"] == "failed" and data,
                  seconds=30, what="the back-test has failed")
    assert "its process died 2 times" in found["reason"]


def test_versions_are_compared_in_the_other_process(greet, children, monkeypatch):
    event = make_event(make_instance(), text="Ana")
    client = client_of("workflows", "read")
    draft = TEXT.replace("where: event.text", "where: event.from_me")
    drafts.save_draft(draft, actor="test")
    monkeypatch.setattr(match_diff, "compare", None)

    found = client.get(f"{GREET}diff/?before=1&days=366&events=50000").data["matching"]

    assert (found["examined"], found["lost"], found["gained"]) == (1, 1, 0)
    assert [one["event"] for one in found["lost_examples"]] == [event.pk]


def test_without_workers_a_trial_says_what_is_missing(greet, children, monkeypatch):
    monkeypatch.setattr(elsewhere, "starter", Starter())
    monkeypatch.setattr(elsewhere, "START_SECONDS", 0.5)

    answer = post_json(client_of("workflows"), f"{GREET}dry-run/", {"event": "message.text"})

    assert answer.status_code == 503
    assert "omni_worker" in answer.data["detail"] and not TrialJob.objects.exists()


def test_process_that_nobody_asks_ends(children):
    child = starting.popen(cluster=os.getpid(), idle=0.1)

    assert child.wait(30) == 0




def test_page_of_a_workflow_runs_and_publishes_over_the_other_process(greet, children):
    client = sign_in()

    def press(button):
        greet.refresh_from_db()
        return client.post(page(greet), form_of(greet, SLOW.replace("Bo", "Ana"), **{button: "1"}),
                           follow=True).content.decode()

    assert "1 tests, 0 failed" in press("_tests")
    assert "greet v2 is published" in press("_publish")
    assert "It matches, and ends as done" in client.post(
        reverse("admin:registry_workflow_try", args=[greet.pk]),
        {"event": "message.text"}).content.decode()
    assert len(children.started) == 1
