"""Trials in the real system: workers start their process, which may be killed and comes back."""

import http.client
import json
import os
import signal

import psutil
import pytest

from tests.faults.system import KEY, SLUG, System, unique, until

pytestmark = pytest.mark.faults
TEXT = """\
omni: 1
id: tried
inputs: {words: {type: text, default: WORDS}}
trigger: [{event: message.text, where: "len(unique(split(inputs.words, ' '))) == 1"}]
steps:
  - {id: reply, uses: route.reply, with: {text: "Hello ${{ event.text }}"}}
tests:
  - {event: {fixture: message.text, text: Ana}, expect: {sends: [{text: Hello Ana}]}}
""".replace("WORDS", f"'{'word ' * 2000}word'")
SPAN = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}


def ask(system: System, method, path, body=None, **headers):
    """(status, data) of the REST API, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", system.web_port, timeout=120)
    try:
        connection.request(method, f"/api/v1/workflows/{path}",
                           None if body is None else json.dumps(body),
                           {"content-type": "application/json", "x-api-key": KEY, **headers})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


def workers_are_there(system: System):
    until(lambda: system.rows("SELECT FROM pg_stat_activity WHERE application_name = "
                              "'omni-worker'"), seconds=60, what="workers are there")


@pytest.fixture
def tried(system: System):
    """The workflow is published, and its tests run for that, by workers."""
    workers_are_there(system)
    status, answer = ask(system, "POST", "import/", {"text": TEXT})
    assert status in (200, 201), answer
    return system


def trials_process(system: System):
    """The process for trials, None when there is none."""
    return next((one for one in system.family("worker") if _is_trials(one)), None)


def _is_trials(process):
    try:
        return "omni_trials" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_dry_run_is_done_by_a_process_of_the_workers_and_never_by_the_web_server(tried):
    status, answer = ask(tried, "POST", "tried/dry-run/", {"event": {
        "fixture": "message.text", "text": "Ana"}})

    assert (status, answer["sends"][0]["text"]) == (200, "Hello Ana")
    assert trials_process(tried) is not None
    assert not any(_is_trials(one) for one in tried.family("web"))


def test_backtest_goes_on_when_its_process_is_killed_and_the_door_answers_meanwhile(tried):
    for number in range(150):
        assert tried.post(unique(f"backtest{number}")) in (200, 202)
    _, job = ask(tried, "POST", "tried/backtest/", {**SPAN, "instance": SLUG}, Prefer="wait=0")
    address = f"tried/backtests/{job['id']}/"
    until(lambda: ask(tried, "GET", address)[1]["state"] == "running", seconds=60, what="begun")

    os.kill(trials_process(tried).pid, signal.SIGKILL)

    assert tried.post(unique("beside")) in (200, 202)
    found = until(lambda: (data := ask(tried, "GET", address)[1])["report"] and data, seconds=90,
                  what="the back-test is done")
    assert found["report"]["events"] >= 150
    [(owner, attempts)] = tried.rows("SELECT owner, attempts FROM omni_trial_jobs WHERE id = %s",
                                     job["id"])
    web = {process.pid for process in tried.family("web")}
    assert int(owner.rpartition(":")[2]) not in web and attempts == 2


def test_process_for_trials_ends_with_the_workers(tried):
    ask(tried, "POST", "tried/dry-run/", {"event": "message.text"})
    process = trials_process(tried)
    [head] = [one for one in tried.family("worker") if one.pid == process.ppid()]

    os.kill(head.ppid(), signal.SIGKILL)  # the head of the cluster, with which it is to end
    tried.kill("worker")
    tried.start_workers()

    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE,
          seconds=20, what="the process has ended")
    workers_are_there(tried)
    status, _ = ask(tried, "POST", "tried/dry-run/", {"event": "message.text"})
    assert status == 200
