"""What `manage.py up` says before it starts anything."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_up(*arguments, **environment):
    return subprocess.run([sys.executable, str(ROOT / "manage.py"), "up", *arguments], text=True,
                          capture_output=True, timeout=60, env={**os.environ, **environment})


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_impossible_port_is_a_wrong_argument(port):
    done = run_up("--port", port)

    assert done.returncode == 2
    assert "must be a port number from 1 to 65535" in done.stderr


def test_taken_port_is_named_with_the_way_out_before_anything_starts(taken_port, tmp_path):
    done = run_up("--port", str(taken_port), DATABASE_URL="", OMNI_DATA_DIR=str(tmp_path))

    assert done.returncode == 1
    assert f"Port {taken_port} on 127.0.0.1 is taken" in done.stderr
    assert "--port or OMNI_PORT" in done.stderr
    assert not (tmp_path / "postgres").exists()


def test_address_of_no_machine_is_named():
    done = run_up(OMNI_HOST="no-such-host.invalid")

    assert done.returncode == 1
    assert "OMNI_HOST 'no-such-host.invalid'" in done.stderr
