"""`manage.py` as people use it in a shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "registry" / "playbooks"


def into_closed_pipe(*arguments, unbuffered=False, stderr=subprocess.PIPE):
    """A command whose output nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, *(["-u"] if unbuffered else []), "manage.py", *map(str, arguments)],
            cwd=ROOT, stdout=writing, stderr=stderr or writing, text=True, timeout=120)
    finally:
        os.close(writing)


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("arguments", [
    ("workflows", "check", PLAYBOOKS), ("audit_payloads", ROOT / "tests/connections/providers/"
                                        "whatsapp_evolution/payloads", "--provider",
                                        "whatsapp_evolution", "--json"),
    ("help",)], ids=lambda arguments: arguments[0])
def test_command_whose_output_nobody_reads_ends_without_a_word(arguments, unbuffered):
    done = into_closed_pipe(*arguments, unbuffered=unbuffered)

    assert (done.returncode, done.stderr) == (141, "")


def test_command_whose_errors_nobody_reads_ends_as_well():
    done = into_closed_pipe("workflows", "check", PLAYBOOKS, stderr=None)

    assert done.returncode == 141
