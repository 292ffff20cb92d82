"""A process of its own for large bodies: it stores, it answers, and it may die."""

import json
import os
import time

import pytest

from connections.adapter import Answer
from events.door import large_bodies
from events.door.large_bodies import Elsewhere
from events.door.receive import receive
from events.models import Event, Knock, RawPayload
from tests.factories import SECRET, make_delivery, make_webhook

pytestmark = pytest.mark.django_db(transaction=True)
BODY = json.dumps({"text": "x" * 5000}).encode()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, settings):
    """As in a web process that has met no large body yet."""
    settings.OMNI_GROUP_COMMIT = True
    monkeypatch.setattr(large_bodies, "LARGE_BYTES", 1000)
    process = Elsewhere()
    monkeypatch.setattr(large_bodies, "elsewhere", process)
    yield process
    process.end()


@pytest.fixture(scope="module")
def long_running():
    """One for the module: a child takes seconds to start."""
    process = Elsewhere()
    yield process
    process.end()


@pytest.fixture
def running(elsewhere, long_running, monkeypatch):
    """A process that may have met large bodies before."""
    monkeypatch.setattr(large_bodies, "elsewhere", long_running)
    return long_running


def told(body=BODY, **headers):
    """The answer to one delivery."""
    delivery = make_delivery(body, headers={"x-webhook-token": SECRET, **headers})
    return receive(delivery, provider="webhook", slug="shop").result(60)


def test_large_body_is_stored_and_answered_like_any_other(running):
    make_webhook()

    answers = [told(), told()]

    event = Event.objects.get()
    assert [(answer.status, answer.body) for answer in answers] == [
        (202, {"status": "accepted", "events": [event.pk]}),
        (200, {"status": "duplicate", "events": [event.pk]})]
    assert bytes(RawPayload.objects.get().body) == BODY
    assert running._child.pid != os.getpid()


def test_body_that_cannot_be_read_is_a_dead_letter_there_too(running):
    make_webhook()

    assert told(b"{" * 2000).body["status"] == "quarantined"
    assert told(BODY).status == 202  # it goes on


def test_process_that_died_is_followed_by_another(running):
    make_webhook()
    told()
    first = running._child
    first.kill()
    first.wait(10)

    assert told(b"[" + BODY + b"]").status == 202
    assert running._child.pid != first.pid


def test_body_over_which_every_process_dies_asks_to_try_later(monkeypatch):
    make_webhook()
    monkeypatch.setattr(large_bodies, "_started", lambda: large_bodies.subprocess.Popen(
        ["true"], stdin=large_bodies.subprocess.PIPE, stdout=large_bodies.subprocess.PIPE))

    answer = told()

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert not Event.objects.exists()


def test_sender_whose_large_body_proves_nothing_is_refused_and_counted_here(elsewhere):
    shop = make_webhook()
    shop.settings = {"verification": "hub_signature"}
    shop.credentials = {"secret": "a long random text"}
    shop.save()

    answer = told(**{"x-hub-signature-256": "sha256=00"})

    assert isinstance(answer, Answer) and answer.status == 401
    end = time.monotonic() + 10
    while not Knock.objects.exists() and time.monotonic() < end:  # the writer counts them
        time.sleep(0.01)
    assert Knock.objects.get().reason == "signature_mismatch" and not RawPayload.objects.exists()
    assert elsewhere._child is None


def test_process_ends_when_its_input_does(running):
    make_webhook()
    told()
    child = running._child

    child.stdin.close()

    assert child.wait(20) == 0


def test_stop_does_not_wait_for_a_body_under_way(elsewhere, monkeypatch):
    monkeypatch.setattr(large_bodies, "_started", lambda: large_bodies.subprocess.Popen(
        ["sleep", "60"], stdin=large_bodies.subprocess.PIPE,
        stdout=large_bodies.subprocess.PIPE))
    make_webhook()
    answer = receive(make_delivery(BODY, headers={"x-webhook-token": SECRET}),
                     provider="webhook", slug="shop")
    end = time.monotonic() + 10
    while elsewhere._child is None and time.monotonic() < end:
        time.sleep(0.01)

    elsewhere.end()

    assert answer.result(0).status == 503
