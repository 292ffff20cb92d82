"""What `manage.py up` becomes: a small process that starts, prepares, watches and stops."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from omni.processes.supervisor import Child
from omni.processes.up import Plan

ROOT = Path(__file__).resolve().parents[3]
READY = "print('ready', flush=True)"
WAITS = f"import time; {READY}; time.sleep(60)"
ROLLS_BACK = ("import signal, sys; signal.signal(signal.SIGTERM, lambda *_: "
              f"sys.exit(print('rolled back', flush=True))); {WAITS}")


def plan(*, prepare, children=()):
    return Plan(data_dir=None, prepare=[sys.executable, "-c", prepare], children=list(children),
                web=False, host="127.0.0.1", port=1, public_url="http://localhost")


@pytest.fixture
def start():
    started = []

    def start(its_plan, **options):
        started.append(subprocess.Popen(
            [sys.executable, "-m", "omni.processes.up", its_plan.to_json()], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("module", ["omni.processes.up", "events.door.first_listener"])
def test_processes_that_only_wait_know_no_django(module):
    code = f"import sys, {module}; print(sorted({{name.split('.')[0] for name in sys.modules}}))"

    names = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, check=True,
                           capture_output=True).stdout

    assert "'psycopg'" in names
    assert not [each for each in ("django", "environ", "rest_framework", "pydantic")
                if f"'{each}'" in names]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_during_the_preparation_ends_it_and_all_the_rest(start, number):
    up = start(plan(prepare=ROLLS_BACK, children=[Child("never", ["false"])]))
    assert up.stdout.readline() == "ready\n"

    up.send_signal(number)
    said, complaints = up.communicate(timeout=20)

    assert (up.returncode, said, complaints) == (0, "rolled back\nStopped.\n", "")


def test_preparation_that_failed_starts_nothing(start):
    up = start(plan(prepare="exit('no such table')", children=[Child("web", ["echo", "here"])]))

    said, complaints = up.communicate(timeout=20)

    assert (up.returncode, said, complaints) == (1, "", "no such table\n")


def test_preparation_ended_from_outside_is_named(start):
    up = start(plan(prepare="import os; os.kill(os.getpid(), 9)"))

    _said, complaints = up.communicate(timeout=20)

    assert up.returncode == 1
    assert "Preparing the database was ended by SIGKILL" in complaints


def test_preparation_does_not_outlive_the_process_that_asked_for_it(start):
    up = start(plan(prepare=WAITS))
    assert up.stdout.readline() == "ready\n"

    up.kill()

    up.communicate(timeout=20)  # ends when the last holder of the pipe has ended


def test_signal_from_before_it_could_be_answered_is_answered_first(start):
    """`manage.py up` holds signals back while it turns into this program."""
    up = start(plan(prepare=WAITS), preexec_fn=lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, [signal.SIGTERM]))

    up.send_signal(signal.SIGTERM)
    said, complaints = up.communicate(timeout=20)

    assert up.returncode == 0
    assert said.endswith("Stopped.\n") and not complaints


def test_children_run_until_the_end_is_asked_for(start):
    up = start(plan(prepare="pass", children=[Child("one", [sys.executable, "-c", WAITS])]))
    assert up.stdout.readline() == "one  | ready\n"

    up.send_signal(signal.SIGTERM)
    said, _complaints = up.communicate(timeout=20)

    assert (up.returncode, said) == (0, "omni | stopped\n")


def test_plan_survives_the_way_through_a_command_line():
    whole = plan(prepare="pass", children=[Child("demo", ["a", "b"], {"A": "1"}, once=True)])

    assert Plan.from_json(whole.to_json()) == whole
