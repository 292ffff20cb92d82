"""An agent that hangs holds up its own account, and nobody at the same host."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection

from actions.models import Agent
from events.models import EventAction
from registry.engine.work import drain
from registry.engine.work.drain import Drain
from registry.models import Run
from tests.factories import evolution_text, make_evolution, post_delivery, switch_on

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.peers]
SECONDS = 15
ASK = """\
omni: 1
id: ask
trigger: [{event: message.text}]
steps:
  - {id: asked, uses: route.agent.default, timeout: 60s, with: {typing: false,
     prompt: "${{ event.text }}"}}
"""


class Peer:
    """Agents of one host: those below /hangs answer when the test is over, the others at once.

    asked: the texts they were asked, with the moment. at_once: most calls that hung at a time.
    """

    def __init__(self):
        self.asked, self.hanging, self.at_once = {}, 0, 0
        self.over, self._lock = threading.Event(), threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
                peer.take(self.path, text)
                body = json.dumps({"text": "answer"}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path, text):
        with self._lock:
            self.asked[text] = time.monotonic()
            if path != "/hangs":
                return
            self.hanging += 1
            self.at_once = max(self.at_once, self.hanging)
        self.over.wait(40)
        with self._lock:
            self.hanging -= 1

    def end(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.end()


@pytest.fixture
def worker(peer, settings):
    """A drain with the twelve threads; it ends before the peer does."""
    settings.OMNI_WORKER_THREADS = 12
    def work():
        try:
            Drain(threads=12).run()
        finally:
            connection.close()

    drain.STOP.value = 0
    thread = threading.Thread(target=work, daemon=True)
    yield thread.start
    drain.STOP.value = 1
    peer.over.set()
    if thread.ident is not None:
        thread.join(30)
    drain.STOP.value = 0
    assert not thread.is_alive()


def until(condition, seconds=SECONDS):
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if condition():
            return True
        pause.wait(0.02)
    return False


@pytest.fixture
def accounts(peer):
    """One whose agent hangs, one whose agent answers, at the same host."""
    Agent.objects.create(slug="hangs", name="Hangs", kind="http", base_url=f"{peer.url}/hangs")
    Agent.objects.create(slug="quick", name="Quick", kind="http", base_url=f"{peer.url}/quick")
    switch_on(ASK)
    return make_evolution("hung", agent="hangs"), make_evolution("well", agent="quick")


def write(client, account, text, *, chat=0):
    """Somebody writes; each chat is another person's."""
    answer = post_delivery(client, account, evolution_text(
        text, text, chat=f"3519220{chat:05}@s.whatsapp.net"))
    assert answer.status_code == 202


def test_account_at_the_same_host_is_asked_while_another_ones_agent_hangs(
        client, peer, worker, accounts):
    hung, well = accounts
    worker()
    for number in range(30):
        write(client, hung, f"hangs {number}", chat=number)
    assert until(lambda: peer.hanging >= 4)

    began = time.monotonic()
    write(client, well, "hello")

    assert until(lambda: "hello" in peer.asked), "not asked while the other one hangs"
    assert peer.asked["hello"] - began < 1
    assert until(lambda: Run.objects.filter(event__text="hello", state="done").exists())
    assert peer.at_once <= 4  # two thirds of the host's half of twelve threads


def test_messages_that_were_put_off_are_answered_without_a_failed_attempt(
        client, peer, worker, accounts):
    hung, _ = accounts
    worker()
    for number in range(8):
        write(client, hung, f"hangs {number}", chat=number)
    assert until(lambda: Run.objects.filter(state="queued", reason__contains="OMNI_HOST_SHARE")
                 .count() == 4)

    peer.over.set()

    assert until(lambda: Run.objects.filter(state="done").count() == 8, seconds=30)
    outcomes = EventAction.objects.filter(action="route.agent.default")
    assert list(outcomes.values_list("attempt", "status")) == [(1, "done")] * 8
