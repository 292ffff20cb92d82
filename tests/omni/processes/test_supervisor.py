"""The supervisor as its own process, with small Python programs as children."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from omni.embedded.places import socket_url
from omni.processes.supervisor import LONGEST_DELAY, STEADY_SECONDS, Backoff
from tests.postgres import memory_folder

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 20.0  # seconds until a condition that does not come true fails the test
SLEEPER = "import time; print('here', flush=True); time.sleep(60)"
PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from omni.processes import supervisor
from omni.embedded.server import EmbeddedPostgres
from omni.processes.supervisor import Child, Supervisor
supervisor.STOP_SECONDS = 0.5

def child(name, code, **more):
    return Child(name, [sys.executable, "-c", code], **more)

{body}
"""


class Watched:
    """A running supervisor and the lines it has written so far."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    def wait_for(self, pattern, *, times=1):
        """The matches of `pattern`, as soon as there are `times` of them."""
        found = [match for line in self.lines if (match := re.search(pattern, line))]
        while len(found) < times:
            line = self.process.stdout.readline()
            assert line, f"ended without {pattern!r}: {self.lines}"
            self.lines.append(line.rstrip("\n"))
            if match := re.search(pattern, line):
                found.append(match)
        return found

    def stop(self, number=signal.SIGTERM):
        """Ask it to stop; returns its exit code."""
        self.process.send_signal(number)
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait()


@contextmanager
def supervising(body):
    """Run the Python lines `body`, which start a Supervisor."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(root=str(ROOT), body=body)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    try:
        yield Watched(process)
    finally:
        alarm.cancel()
        if process.poll() is None:
            process.terminate()
        process.communicate()


def wait_until(condition):
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "the condition did not come true"
        sleep(0.02)


def is_running(pid):
    """Whether a process exists and is not a zombie. Source: proc(5), /proc/[pid]/stat."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_every_child_and_leaves_with_success(number):
    code = ("import signal, sys\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit()))\n"
            "print('here', flush=True)\n"
            "signal.pause()")
    with supervising(f"Supervisor([child('one', {code!r}), child('two', {code!r})]).run()") as it:
        it.wait_for("here", times=2)

        assert it.stop(number) == 0
        assert {"one  | bye", "two  | bye", "omni | stopped"} <= set(it.lines)


def test_every_line_carries_the_name_of_its_process():
    code = "import sys, time; print('a'); print('b', file=sys.stderr); time.sleep(60)"
    with supervising(f"Supervisor([child('talker', {code!r})]).run()") as it:
        it.wait_for("b$")

        assert sorted(it.lines) == ["talker | a", "talker | b"]


def test_last_line_without_an_end_is_written():
    code = "import sys; sys.stdout.write('cut off'); sys.exit(3)"
    with supervising(f"Supervisor([child('talker', {code!r})]).run()") as it:
        it.wait_for(r"ended \(exit code 3\)")

        assert it.lines[0] == "talker | cut off"


def test_child_that_ends_is_started_again_after_a_growing_delay():
    with supervising("Supervisor([child('short', 'raise SystemExit(1)')]).run()") as it:
        delays = [match.group(1) for match in it.wait_for(r"starts again in (\S+) s", times=2)]

    assert delays == ["0.5", "1"]


def test_delay_has_a_ceiling():
    backoff = Backoff()

    delays = [backoff.ended(1.0) for _ in range(10)]

    assert max(delays) == delays[-1] == LONGEST_DELAY


def test_child_that_ran_steadily_is_started_again_quickly():
    backoff = Backoff(failures=5, started=100.0)

    assert backoff.ended(100.0 + STEADY_SECONDS) == 0.5


def test_program_that_is_missing_does_not_stop_the_others():
    with supervising("Supervisor([Child('ghost', ['/no/such/program']), "
                     f"child('real', {SLEEPER!r})]).run()") as it:
        it.wait_for("ghost could not start")

        assert it.wait_for(r"real\s+\| here")


def test_child_that_runs_once_is_not_started_again():
    with supervising("Supervisor([child('demo', 'print(1)', once=True), "
                     "child('short', 'raise SystemExit(1)')]).run()") as it:
        it.wait_for("short ended", times=2)
        it.stop()

    assert it.lines.count("demo  | 1") == 1


def test_child_that_ignores_the_request_is_ended_by_force():
    code = ("import os, signal\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('pid', os.getpid(), flush=True)\n"
            "while True: signal.pause()")
    with supervising(f"Supervisor([child('deaf', {code!r})]).run()") as it:
        pid = int(it.wait_for(r"pid (\d+)")[0].group(1))

        assert it.stop() == 0
        assert not is_running(pid)


def test_killed_supervisor_leaves_no_child_behind():
    code = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"
    with supervising(f"Supervisor([child('orphan', {code!r})]).run()") as it:
        pid = int(it.wait_for(r"pid (\d+)")[0].group(1))

        it.process.kill()

        wait_until(lambda: not is_running(pid))


def test_killed_child_takes_its_own_children_along():
    code = ("import os, subprocess, time\n"
            "inner = subprocess.Popen(['sleep', '60'])\n"
            "print('pids', os.getpid(), inner.pid, flush=True)\n"
            "time.sleep(60)")
    with supervising(f"Supervisor([child('outer', {code!r})]).run()") as it:
        outer, inner = map(int, it.wait_for(r"pids (\d+) (\d+)")[0].groups())

        os.kill(outer, signal.SIGKILL)

        it.wait_for(r"outer ended \(signal SIGKILL\)")
        wait_until(lambda: not is_running(inner))


def test_killed_database_is_started_again_and_ends_last():
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        body = (f"with EmbeddedPostgres({folder!r}, options={{'fsync': 'off'}}) as database:\n"
                "    print('pid', database.pid, flush=True)\n"
                f"    Supervisor([child('one', {SLEEPER!r})], database=database).run()")
        with supervising(body) as it:
            pid = int(it.wait_for(r"pid (\d+)")[0].group(1))
            it.wait_for("here")

            os.kill(pid, signal.SIGKILL)

            it.wait_for("database is back")
            with psycopg.connect(socket_url(Path(folder))) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert it.stop() == 0
