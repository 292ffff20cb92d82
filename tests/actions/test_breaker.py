"""An address of agents that only fails is left alone for a while, against real peers."""

import socket
import struct
import threading
import time

import pytest
from werkzeug import Response

from actions.breaker import Client
from connections.http import bulkhead
from omni.errors import BreakerOpen, Held, InvalidInput, NotSent, UnknownOutcome

SECONDS = 10


@pytest.fixture(autouse=True)
def soon(settings):
    """Two failures in a row; tried again after the time a test says."""
    settings.OMNI_BREAKER_FAILURES, settings.OMNI_BREAKER_SECONDS = 2, 300


@pytest.fixture
def peer():
    """A raw server: does with each connection what it is told; counts them."""
    servers = []

    def start(serve):
        server, over, calls = socket.create_server(("127.0.0.1", 0)), threading.Event(), []

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                calls.append(connection)
                threading.Thread(target=serve, args=(connection, over), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        servers.append((server, over))
        return f"http://127.0.0.1:{server.getsockname()[1]}", calls

    yield start
    for server, over in servers:
        over.set()
        server.close()


def hang(connection, over):
    with connection:
        over.wait(SECONDS)


def reset(connection, _over):
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drip(connection, over):
    with connection:
        try:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nx-a: ")
            while not over.wait(0.05):
                connection.sendall(b"a")
        except OSError:
            pass


def ask(url, *, account=1, timeout=0.2):
    with bulkhead.step_of(account, repeatable=False):
        return Client(url).request("POST", timeout=timeout)


def fail(url, times=2, **options):
    for _ in range(times):
        with pytest.raises((NotSent, UnknownOutcome)):
            ask(url, **options)


@pytest.mark.parametrize("serve", [hang, reset, drip])
def test_address_that_never_answers_is_left_alone(peer, serve):
    url, calls = peer(serve)
    fail(url)

    with pytest.raises(BreakerOpen):
        ask(url)

    assert len(calls) == 2


def test_port_nobody_listens_on_is_left_alone():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    fail(url)

    with pytest.raises(BreakerOpen):
        ask(url)


def test_address_that_answers_5xx_is_left_alone_after_five_of_them(httpserver, settings):
    settings.OMNI_BREAKER_FAILURES = 5
    httpserver.expect_request("/").respond_with_data("", status=503)
    url = httpserver.url_for("/")

    assert [ask(url, timeout=5).status for _ in range(5)] == [503] * 5
    with pytest.raises(BreakerOpen):
        ask(url)


@pytest.mark.parametrize(("status", "headers"), [
    (200, {}), (404, {}), (401, {}), (429, {}), (503, {"retry-after": "1"})])
def test_answers_and_refusals_are_no_failures(httpserver, status, headers):
    httpserver.expect_request("/").respond_with_data("", status=status, headers=headers)

    assert [ask(httpserver.url_for("/"), timeout=5).status for _ in range(6)] == [status] * 6


def test_slow_answer_is_no_failure(httpserver):
    def slowly(_request):
        time.sleep(0.2)
        return Response("ok")

    httpserver.expect_request("/").respond_with_handler(slowly)

    assert [ask(httpserver.url_for("/"), timeout=5).text for _ in range(4)] == ["ok"] * 4


def test_failures_count_only_in_a_row(httpserver):
    url = httpserver.url_for("/")
    for status in (500, 200) * 3:
        httpserver.expect_ordered_request("/").respond_with_data("", status=status)

    assert [ask(url, timeout=5).status for _ in range(6)] == [500, 200] * 3


def test_reason_names_the_address_since_when_and_when_it_is_tried_again_and_no_secret(peer):
    url, _ = peer(hang)
    secret = url.replace("://", "://bot:canary@") + "/canary?token=canary"
    fail(secret)

    with pytest.raises(BreakerOpen) as refused:
        ask(secret)

    message = refused.value.message
    assert message.startswith(f"{url} is left alone: it failed 2 times in a row since 20")
    assert f"the last time: {url} did not answer within 0.2 s" in message
    assert "it is tried again at " in message and "canary" not in message
    assert 300 <= refused.value.retry_after <= 450


def test_another_account_still_asks_the_same_address(peer):
    url, calls = peer(hang)
    fail(url, account=1)

    fail(url, times=1, account=2)

    assert len(calls) == 3


def test_another_port_of_the_host_is_still_asked(peer, httpserver):
    httpserver.expect_request("/").respond_with_data("ok")
    url, _ = peer(hang)
    fail(url)

    assert ask(httpserver.url_for("/"), timeout=5).text == "ok"


def test_answer_to_the_call_that_tries_again_closes_the_breaker(httpserver, settings):
    settings.OMNI_BREAKER_SECONDS = 0
    url = httpserver.url_for("/")
    for status in (500, 500, 200, 500, 200):
        httpserver.expect_ordered_request("/").respond_with_data("", status=status)

    assert [ask(url, timeout=5).status for _ in range(5)] == [500, 500, 200, 500, 200]


def test_failure_of_the_call_that_tries_again_opens_it_for_as_long_again(peer, settings):
    settings.OMNI_BREAKER_SECONDS = 0
    url, calls = peer(hang)
    fail(url)
    settings.OMNI_BREAKER_SECONDS = 300

    fail(url, times=1)

    with pytest.raises(BreakerOpen, match="failed 3 times in a row"):
        ask(url)
    assert len(calls) == 3


def test_only_one_call_tries_the_address_again(peer, settings):
    settings.OMNI_BREAKER_SECONDS = 0
    url, calls = peer(hang)
    fail(url)
    trial = threading.Thread(target=fail, args=(url, 1), kwargs={"timeout": 3})
    trial.start()
    end = time.monotonic() + SECONDS
    while len(calls) < 3:
        assert time.monotonic() < end

    with pytest.raises(BreakerOpen, match="a call is trying it right now"):
        ask(url)

    trial.join(SECONDS)


def test_call_that_is_put_off_is_no_failure_and_no_trial(peer, settings):
    settings.OMNI_BREAKER_SECONDS = 0
    url, calls = peer(hang)
    fail(url, times=1)
    settings.OMNI_WORKER_THREADS = 1
    holder = threading.Thread(target=fail, args=(url, 1), kwargs={"timeout": 3})
    holder.start()
    end = time.monotonic() + SECONDS
    while len(calls) < 2:
        assert time.monotonic() < end

    for _ in range(3):
        with pytest.raises(Held):
            ask(url)
    holder.join(SECONDS)

    fail(url, times=2)  # each a trial: those that were put off took none
    assert len(calls) == 4


def test_address_that_is_none_is_no_failure():
    for _ in range(4):
        with pytest.raises(InvalidInput):
            ask("http://127.0.0.1:none/")


def test_zero_failures_mean_always_asked(peer, settings):
    settings.OMNI_BREAKER_FAILURES = 0
    url, calls = peer(hang)

    fail(url, times=4)

    assert len(calls) == 4
