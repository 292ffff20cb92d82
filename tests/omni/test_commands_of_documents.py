"""The commands shown in the documents work on a fresh start, in the order they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from connections.access import ApiKey
from connections.models import Instance
from events.models import Event
from registry.models import Approval
from registry.versions import seed
from tests.factories import make_conversation, make_event
from tests.omni.documents import ROOT
from tests.registry.runs import work

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
_BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETS_UP = ("manage.py up", "KEY=the-printed-API-key")  # the fixture below stands for these
STRICT = 'set -eu\ncurl() { command curl -sS --fail-with-body "$@"; echo; }\n'


@pytest.fixture
def shell(live_server, tmp_path):
    """Runs one block as a reader would, in the folder of a fresh installation."""
    seed.seed()
    _, key = ApiKey.issue("of the reader", scopes=["admin"])
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    parts = urlsplit(os.environ["DATABASE_URL"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KEY": key, "OMNI": live_server.url,
           "DATABASE_URL": urlunsplit(parts._replace(
               path=f"/{connection.settings_dict['NAME']}"))}

    def run(block):
        done = subprocess.run(
            ["bash", "-c", STRICT + block.replace("http://127.0.0.1:8000", live_server.url)],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout
    run.folder = tmp_path
    return run


def blocks(page):
    """(language, text) of each block of a page, without those that set up the shell."""
    found = _BLOCK.findall((ROOT / "docs" / page).read_text())
    return [(kind, text) for kind, text in found if not any(words in text for words in SETS_UP)]


def commands(page):
    return [text for kind, text in blocks(page) if kind == "sh"]


@pytest.mark.parametrize("page", ["testing-workflows.md", "workflows.md", "recipes.md"])
def test_commands_of_a_page_work_on_a_fresh_start(shell, page):
    assert commands(page)

    for block in commands(page):
        shell(block)


def test_first_command_of_testing_workflows_tells_what_would_go_out(shell):
    said = shell(commands("testing-workflows.md")[0])

    assert '"matched":true' in said and "Thank you!" in said


def write(text):
    """What a visitor of the chat writes, and what the workers do of it."""
    chat = Instance.objects.get(slug="chat")
    talk = chat.conversations.first() or make_conversation(chat, "v_" + "a" * 22)
    make_event(chat, conversation=talk, conversation_ref=talk.ref, text=text,
               direction="inbound", source="live", routed_at=None)
    work()


def test_tutorial_works_from_its_first_command_to_its_last(shell):
    for kind, text in blocks("tutorial.md"):
        if kind == "yaml":
            (shell.folder / "order-help.yaml").write_text(text)
            continue
        if "/approvals/" in text:  # "Now in the chat"
            write("Where is my order?")
            write("1207")
            text = text.replace("approvals/1/", f"approvals/{Approval.objects.get().pk}/")
        if "events/1/" in text:
            text = text.replace("events/1/", f"events/{Event.objects.earliest('pk').pk}/")
        shell(text)

    assert Approval.objects.get().edited == "Order 1207 arrives on Friday."
