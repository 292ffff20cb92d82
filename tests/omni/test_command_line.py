"""`manage.py` as people use it in a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = str(ROOT / "registry" / "playbooks")
PAYLOADS = str(ROOT / "tests/connections/providers/whatsapp_evolution/payloads")
COMMANDS = {"workflows": ["workflows", "check", PLAYBOOKS],
            "audit_payloads": ["audit_payloads", PAYLOADS, "--provider", "whatsapp_evolution",
                               "--json"],
            "help": ["help"]}
COMMANDS["workflows, whose errors go there too"] = COMMANDS["workflows"]
# One start for several commands: each gets a process of its own, which ends as any other does.
START = """
import json, os, sys, tempfile
sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")
import django, manage
django.setup()
told, commands, sys.argv[0] = {}, json.loads(sys.argv[1]), "manage.py"
for name, arguments in commands.items():
    with tempfile.TemporaryFile("w+") as errors:
        if not (child := os.fork()):
            os.dup2(1 if "errors" in name else errors.fileno(), 2)
            sys.argv[1:] = arguments
            manage.main()
            sys.exit()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        errors.seek(0)
        told[name] = [code, errors.read()]
with os.fdopen(int(os.environ["TELL"]), "w") as tell:
    json.dump(told, tell)
"""


def into_closed_pipe(commands, *, unbuffered):
    """Commands whose output nobody reads any more: name -> [exit code, errors]."""
    reading, writing = os.pipe()
    os.close(reading)
    read_told, told = os.pipe()
    try:
        subprocess.run(
            [sys.executable, *(["-u"] if unbuffered else []), "-c", START, json.dumps(commands)],
            cwd=ROOT, stdout=writing, pass_fds=[told], timeout=120,
            env={**os.environ, "TELL": str(told)})
    finally:
        os.close(writing)
        os.close(told)
    with os.fdopen(read_told) as found:
        return json.load(found)


@pytest.mark.parametrize("unbuffered", [True, False])
def test_command_whose_output_or_errors_nobody_reads_ends_without_a_word(unbuffered):
    done = into_closed_pipe(COMMANDS, unbuffered=unbuffered)

    assert done == {name: [141, ""] for name in COMMANDS}
