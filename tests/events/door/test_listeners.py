"""Listeners: one thread per instance that fetches its deliveries, kept running."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep

import pytest
from django.core.management import CommandError, call_command

from connections import library
from connections.adapter import Adapter, Delivery
from connections.envelope import EventDraft
from events.door import listeners
from events.door.listeners import Listeners
from events.models import Event, RawPayload
from omni.errors import NotConfigured, Unavailable
from tests.factories import make_instance

pytestmark = pytest.mark.django_db(transaction=True)
MANAGE = Path(__file__).resolve().parents[3] / "manage.py"


class FakeAdapter(Adapter):
    """Listens to a queue: bodies are deliveries, exceptions are raised, None ends a connection."""

    name, title, normalizer = "fake", "Fake", "fake@1"
    listens = True

    def __init__(self):
        self.frames = queue.Queue()
        self.answers = queue.Queue()
        self.connections = []

    def verify(self, delivery, account, *, now):
        return "own connection"

    def normalize(self, payload, delivery, account):
        return [EventDraft(event_type="message.text", dedup_key=payload["id"],
                           text=payload["id"])]

    def listen(self, account, take, stop):
        self.connections.append(account.slug)
        while not stop.is_set():
            try:
                frame = self.frames.get(timeout=0.02)
            except queue.Empty:
                continue
            if frame is None:
                return
            if isinstance(frame, Exception):
                raise frame
            self.answers.put(take(Delivery(body=frame, transport="socket")))


@pytest.fixture
def fake(monkeypatch):
    adapter = FakeAdapter()
    monkeypatch.setitem(library.adapters(), "fake", adapter)
    monkeypatch.setattr(listeners, "FIRST_PAUSE", 0.01)
    return adapter


@pytest.fixture
def running():
    made = Listeners()
    yield made
    assert made.close() == []


def until(condition, seconds=10.0):
    """Wait for a condition to become true."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not happen"
        sleep(0.01)


def test_fetched_delivery_is_stored_before_the_adapter_is_answered(fake, running):
    make_instance("pad", provider="fake")
    running.refresh()

    fake.frames.put(b'{"id": "f1"}')

    assert fake.answers.get(timeout=10).status == 202
    assert Event.objects.get().text == "f1"
    assert RawPayload.objects.get().transport == "socket"


@pytest.mark.parametrize("end", [None, Unavailable("gone"), RuntimeError("a bug")])
def test_connection_that_ended_is_made_again(fake, running, end):
    make_instance("pad", provider="fake")
    running.refresh()

    fake.frames.put(end)
    fake.frames.put(b'{"id": "f2"}')

    assert fake.answers.get(timeout=10).status == 202
    assert fake.connections == ["pad", "pad"]


def test_wrong_setting_is_not_tried_again_until_the_instance_changes(fake, running, caplog):
    pad = make_instance("pad", provider="fake")
    running.refresh()
    fake.frames.put(NotConfigured("no token", setting="token"))
    until(lambda: "Listener needs a change of its instance." in caplog.text)
    asked = len(fake.connections)

    pad.save()

    until(lambda: running.refresh() or len(fake.connections) > asked)
    assert asked == 1


def test_instances_are_followed_as_they_come_and_go(fake, running):
    pad = make_instance("pad", provider="fake")
    make_instance("off", provider="fake", enabled=False)
    make_instance("pushed", provider="webhook")
    running.refresh()
    first = running.slugs
    make_instance("new", provider="fake")
    running.refresh()
    second = running.slugs
    pad.enabled = False
    pad.save()

    running.refresh()

    assert (first, second, running.slugs) == (["pad"], ["new", "pad"], ["new"])


def test_changed_instance_is_never_listened_for_twice_at_once(fake, running):
    pad = make_instance("pad", provider="fake")
    running.refresh()
    pad.name = "Changed"
    pad.save()

    until(lambda: running.refresh() or len(fake.connections) == 2)

    threads = [one for one in threading.enumerate() if one.name == "listen-pad"]
    assert len(threads) == 1


def test_only_named_instances_are_listened_for(fake):
    make_instance("one", provider="fake")
    make_instance("two", provider="fake")
    chosen = Listeners(["two"])

    chosen.refresh()

    assert chosen.slugs == ["two"]
    assert chosen.close() == []


def test_listener_that_hangs_is_named_and_not_waited_for(fake, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(listeners, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(fake, "listen", lambda account, take, stop: released.wait(10))
    make_instance("pad", provider="fake")
    stuck = Listeners()
    stuck.refresh()

    late = stuck.close()

    released.set()
    until(lambda: not any(one.name == "listen-pad" for one in threading.enumerate()))
    assert late == ["pad"]


@pytest.mark.parametrize(("arguments", "reason"), [
    ([], "say --all"), (["shop", "--all"], "say --all"), (["nowhere"], "no instance 'nowhere'"),
    (["shop"], "delivers to /webhooks/webhook/shop/"),
])
def test_arguments_that_make_no_sense_are_refused(arguments, reason):
    make_instance("shop")

    with pytest.raises(CommandError, match=reason):
        call_command("listen", *arguments)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_command_waits_and_ends_at_once_when_told(number):
    command = subprocess.Popen([sys.executable, str(MANAGE), "listen", "--all"], text=True,
                               stderr=subprocess.PIPE, env={**os.environ})
    said = command.stderr.readline()
    was_running = command.poll() is None

    command.send_signal(number)

    assert command.wait(timeout=10) == 0
    assert was_running
    assert "No instance needs a listener" in said or "could not be read" in said
