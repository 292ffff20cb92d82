"""What `manage.py up` says before it starts anything."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import execute_from_command_line

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def up(capsys, monkeypatch):
    """The command line in this process: (exit code, what it said of errors). It starts itself anew
    when an option differs from the settings; this process may not.
    """
    def up(*arguments):
        with pytest.raises(SystemExit) as ended:
            execute_from_command_line(["manage.py", "up", *arguments])
        return ended.value.code, capsys.readouterr().err

    monkeypatch.setattr(os, "execv", lambda path, arguments: pytest.fail(f"started {arguments}"))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield up
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_impossible_port_is_a_wrong_argument(up, port):
    code, said = up("--port", port)

    assert code == 2
    assert "must be a port number from 1 to 65535" in said


def test_taken_port_is_named_with_the_way_out_before_anything_starts(taken_port, tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", str(taken_port)], cwd=ROOT, text=True,
        capture_output=True, timeout=60,
        env={**os.environ, "DATABASE_URL": "", "OMNI_DATA_DIR": str(tmp_path)})

    assert done.returncode == 1
    assert f"Port {taken_port} on 127.0.0.1 is taken" in done.stderr
    assert "--port or OMNI_PORT" in done.stderr
    assert not (tmp_path / "postgres").exists()


def test_address_of_no_machine_is_named(up, settings):
    settings.OMNI_HOST = "no-such-host.invalid"

    code, said = up()

    assert code == 1
    assert "OMNI_HOST 'no-such-host.invalid'" in said
