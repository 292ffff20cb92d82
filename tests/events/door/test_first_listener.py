"""The small process that waits for the first instance with a listener."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from tests.factories import make_instance

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(tmp_path):
    """The process, which has said that it waits; what it becomes prints its arguments."""
    manage = tmp_path / "manage.py"
    manage.write_text("import sys; print(sys.argv[1:])")
    connection.ensure_connection()
    info = connection.connection.info
    url = make_conninfo(**{**info.get_parameters(), "options": ""}, password=info.password or None)
    process = subprocess.Popen(
        [sys.executable, "-m", "events.door.first_listener", str(manage), "webhook", "other"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "DATABASE_URL": url, "OMNI_PROCESS": "listeners"})
    assert "listeners omni.events: No instance needs a listener" in process.stderr.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_waiting_ends_at_once_when_told(waiting, number):
    waiting.send_signal(number)

    assert waiting.wait(timeout=10) == 0


def test_first_instance_that_needs_a_listener_gets_one_within_seconds(waiting):
    make_instance("off", provider="webhook", enabled=False)
    make_instance("pushes", provider="whatsapp_evolution")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=6)

    make_instance("shop", provider="webhook")
    said, complaints = waiting.communicate(timeout=12)

    assert (said, complaints) == ("['listen', '--all']\n", "")
