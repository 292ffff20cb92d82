"""Calls at once to one host, against real peers."""

import os
import socket
import threading

import pytest

from connections.http import bulkhead
from connections.http.client import Client
from omni.errors import Held, NotSent, RateLimited, UnknownOutcome

SECONDS = 10


class Hung:
    """A server that accepts, reads and never answers, until `answer` is called."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._calls, self._over = threading.Semaphore(0), threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._hang, args=(connection,), daemon=True).start()

    def _hang(self, connection):
        with connection:
            while connection.recv(65536):
                self._calls.release()
                self._over.wait(SECONDS)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def wait_for_calls(self, number):
        assert all(self._calls.acquire(timeout=SECONDS) for _ in range(number))

    def answer(self):
        self._over.set()

    def end(self):
        self.answer()
        self._server.close()


@pytest.fixture(autouse=True)
def twelve_threads(settings):
    settings.OMNI_WORKER_THREADS = 12


@pytest.fixture
def hung():
    server = Hung()
    yield server
    server.end()


@pytest.fixture
def begin():
    """Begins so many calls in threads of their own: in steps of an account, or outside of one."""
    threads = []

    def calls(url, number, *, step=None, account=None):
        def call():
            if step is None:
                Client(url, timeout=SECONDS, account=account).request("POST")
            else:
                with bulkhead.step_of(step, repeatable=False):
                    Client(url, timeout=SECONDS).request("POST")

        for _ in range(number):
            threads.append(threading.Thread(target=call, daemon=True))
            threads[-1].start()

    yield calls
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


def ask(url, account, *, repeatable=False, timeout=5):
    with bulkhead.step_of(account, repeatable=repeatable):
        return Client(url, timeout=timeout).request("POST")


def test_step_beyond_its_accounts_share_is_put_off_at_once(hung, begin):
    begin(hung.url, 4, step=1)
    hung.wait_for_calls(4)

    with pytest.raises(Held, match=r"as many calls to 127\.0\.0\.1:\d+ .*OMNI_HOST_SHARE") as held:
        ask(hung.url, 1)

    assert 0 < held.value.retry_after <= 7
    hung.answer()


def test_other_accounts_find_a_place_until_the_hosts_share_is_taken(hung, begin):
    begin(hung.url, 4, step=1)
    hung.wait_for_calls(4)
    begin(hung.url, 1, step=2)
    begin(hung.url, 1, step=3)
    hung.wait_for_calls(2)

    with pytest.raises(Held):
        ask(hung.url, 4)

    hung.answer()


@pytest.mark.parametrize(("threads", "share", "places"), [(12, 0.5, 4), (12, 0.01, 1), (4, 1.0, 3)])
def test_share_is_that_of_the_settings_and_at_least_one(hung, begin, settings, threads, share,
                                                        places):
    settings.OMNI_WORKER_THREADS, settings.OMNI_HOST_SHARE = threads, share
    begin(hung.url, places, step=1)
    hung.wait_for_calls(places)

    with pytest.raises(Held):
        ask(hung.url, 1)

    hung.answer()


def test_another_host_is_called_while_one_hangs(hung, begin, httpserver):
    httpserver.expect_request("/").respond_with_data("alive")
    begin(hung.url, 4, step=1)
    hung.wait_for_calls(4)

    assert ask(httpserver.url_for("/"), 1).text == "alive"
    hung.answer()


def test_name_is_one_host_however_it_is_written(hung, begin):
    port = hung.url.rsplit(":", 1)[1]
    begin(f"http://localhost:{port}", 4, step=1)
    hung.wait_for_calls(4)

    with pytest.raises(Held):
        ask(f"http://LOCALHOST.:{port}/path", 1)

    hung.answer()


@pytest.mark.parametrize("ending", ["answer", "nothing", "break off"])
def test_call_gives_its_place_back_however_it_ends(settings, httpserver, ending):
    settings.OMNI_WORKER_THREADS = 1
    httpserver.expect_request("/").respond_with_data("ok")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
        silent = f"http://127.0.0.1:{port}"
        if ending == "break off":
            with pytest.raises(UnknownOutcome):
                ask(silent, 1, timeout=0.1)
            with pytest.raises(UnknownOutcome):
                ask(silent, 1, timeout=0.1)
    if ending == "nothing":
        for _ in range(2):
            with pytest.raises(NotSent):
                ask(silent, 1)
    if ending == "answer":
        assert [ask(httpserver.url_for("/"), 1).text for _ in range(2)] == ["ok", "ok"]


def test_quick_host_is_waited_for_instead_of_putting_a_step_off(settings, httpserver):
    settings.OMNI_WORKER_THREADS = 1
    httpserver.expect_request("/").respond_with_data("ok")
    url = httpserver.url_for("/")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(url, 1).text))
               for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)

    assert answers == ["ok"] * 4


@pytest.mark.parametrize(("repeatable", "error"), [(True, Held), (False, RateLimited)])
def test_step_that_has_asked_is_put_off_only_when_it_may_be_done_again(
        hung, begin, httpserver, repeatable, error):
    httpserver.expect_request("/").respond_with_data("first")
    begin(hung.url, 4, step=1)
    hung.wait_for_calls(4)

    with bulkhead.step_of(1, repeatable=repeatable):
        Client(httpserver.url_for("/")).request("POST")
        with pytest.raises(error):
            Client(hung.url).request("POST")

    hung.answer()


def test_reserved_place_is_that_of_the_next_call_and_free_when_the_step_ends(settings, httpserver):
    settings.OMNI_WORKER_THREADS = 1
    httpserver.expect_request("/").respond_with_data("ok")
    client = Client(httpserver.url_for("/"))
    port = httpserver.port

    with bulkhead.step_of(1, repeatable=False):
        client.reserve()
        assert in_a_thread(lambda: ask(f"http://{httpserver.host}:{port}/", 2)) == "Held"
        assert client.request("GET").text == "ok"
        client.reserve()

    assert ask(httpserver.url_for("/"), 2).text == "ok"


def in_a_thread(work):
    """The name of the error `work` raises in another thread, "" when it raises none."""
    raised = []

    def run():
        try:
            work()
        except Exception as exc:
            raised.append(type(exc).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(SECONDS)
    return "".join(raised)


def test_reserving_outside_of_a_step_takes_nothing(settings, httpserver):
    settings.OMNI_WORKER_THREADS = 1
    httpserver.expect_request("/").respond_with_data("ok")
    client = Client(httpserver.url_for("/"))

    client.reserve()

    assert client.request("GET").text == "ok"


def test_call_outside_of_a_step_is_refused_with_a_time(hung, begin):
    begin(hung.url, 4, account=1)
    hung.wait_for_calls(4)

    with pytest.raises(RateLimited, match="OMNI_HOST_SHARE") as refused:
        Client(hung.url, account=1).request("POST")

    assert refused.value.retry_after > 0
    hung.answer()


def test_calls_of_steps_and_others_take_no_place_from_each_other(hung, begin):
    begin(hung.url, 4, account=1)
    begin(hung.url, 4, step=1)
    hung.wait_for_calls(8)

    begin(hung.url, 1, account=2)
    begin(hung.url, 1, step=2)
    hung.wait_for_calls(2)
    hung.answer()


def test_mark_of_typing_takes_nobodys_place(hung, begin, settings):
    settings.OMNI_WORKER_THREADS = 1
    begin(hung.url, 1, account=1)
    hung.wait_for_calls(1)

    with bulkhead.uncounted(), pytest.raises(UnknownOutcome):
        Client(hung.url, timeout=0.1, account=1).request("POST")

    hung.answer()


def test_forked_worker_counts_from_the_start(hung, begin, httpserver, settings):
    settings.OMNI_WORKER_THREADS = 1
    begin(hung.url, 1, step=1)
    hung.wait_for_calls(1)

    child = os.fork()
    if child == 0:
        try:
            with bulkhead.step_of(1, repeatable=False):
                Client(hung.url).reserve()
        except BaseException:
            os._exit(1)
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
    hung.answer()


def test_idle_hosts_are_forgotten_beyond_a_thousand():
    for number in range(1_500):
        with bulkhead.step_of(1, repeatable=False):
            bulkhead.reserve((f"host-{number}", 80))

    assert len(bulkhead._hosts) <= 1_000
