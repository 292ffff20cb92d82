"""The outbound client against real peers: typed errors, bounds, no surprises."""

import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from werkzeug import Response as Answer

from connections.http.client import Client
from omni.errors import InvalidInput, NotSent, UnknownOutcome


@pytest.fixture
def peer():
    """A raw TCP peer: sends what it is told to, piece by piece, then closes."""
    servers = []

    def start(*pieces, pause=0.0, linger=False):
        server = socket.create_server(("127.0.0.1", 0))
        over = threading.Event()

        def serve():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                        over.wait(pause)
                    if linger:
                        over.wait(20)
                except OSError:
                    pass  # the client has had enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        servers.append((server, over, thread))
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server, over, thread in servers:
        over.set()
        server.close()
        thread.join(10)


def test_answer_is_read_whole_whatever_its_status(httpserver):
    httpserver.expect_request("/a", method="POST").respond_with_json({"b": 1}, status=418)

    answer = Client(httpserver.url_for("")).request("POST", "/a", json={"x": 1})

    assert (answer.status, answer.json(), answer.text) == (418, {"b": 1}, '{\n    "b": 1\n}')
    assert httpserver.log[0][0].headers["User-Agent"] == "omni"


def test_headers_of_the_client_and_of_the_request_are_sent(httpserver):
    httpserver.expect_request("/").respond_with_data("")

    Client(httpserver.url_for("/"), headers={"x-a": "1", "x-b": "1"}).request(
        "GET", headers={"x-b": "2"})

    sent = httpserver.log[0][0].headers
    assert (sent["x-a"], sent["x-b"]) == ("1", "2")


def test_cookie_of_one_answer_does_not_go_with_the_next_request(httpserver):
    httpserver.expect_request("/a").respond_with_data("", headers={"set-cookie": "account=1"})

    for _ in range(2):
        Client(httpserver.url_for("")).request("GET", "/a")

    assert "Cookie" not in httpserver.log[1][0].headers


@pytest.mark.parametrize(("headers", "sent"), [
    ({}, "Basic YW5hOmEgYg=="), ({"Authorization": "Bearer t"}, "Bearer t")])
def test_name_and_password_of_an_address_sign_in(httpserver, headers, sent):
    httpserver.expect_request("/a").respond_with_data("")
    address = httpserver.url_for("").replace("://", "://ana:a%20b@")

    Client(address, headers=headers).request("GET", "/a")

    assert httpserver.log[0][0].headers["Authorization"] == sent


def test_redirect_is_an_answer_and_is_not_followed(httpserver):
    httpserver.expect_request("/a").respond_with_response(
        Answer(status=302, headers={"Location": httpserver.url_for("/b")}))

    answer = Client(httpserver.url_for("/a")).request("GET")

    assert answer.status == 302 and len(httpserver.log) == 1


def test_private_address_is_refused_before_anything_is_sent(httpserver, settings):
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = False

    with pytest.raises(NotSent, match="private address"):
        Client(httpserver.url_for("/")).request("GET")

    assert httpserver.log == []


def test_proxy_of_the_environment_is_not_used(httpserver, monkeypatch):
    httpserver.expect_request("/").respond_with_data("direct")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert Client(httpserver.url_for("/")).request("GET").text == "direct"


def test_port_nobody_listens_on_is_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(NotSent, match=f"could not connect to http://127.0.0.1:{port}"):
        Client(f"http://127.0.0.1:{port}").request("POST")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "x..example"])
def test_name_nobody_has_is_not_sent_or_a_wrong_address(host):
    with pytest.raises((NotSent, InvalidInput)):
        Client(f"http://{host}/").request("POST")


@pytest.mark.parametrize("url", [
    "", "no address", "ftp://example.com/", "file:///etc/passwd", "http://", "//example.com",
    "http://[::1", "http://example.com:99999/", "http://exa mple.com/"])
def test_address_that_is_none_is_a_wrong_address(url):
    with pytest.raises((InvalidInput, NotSent)):
        Client(url).request("GET")


@pytest.mark.parametrize("headers", [{"x-a": "1\r\nx-forged: 1"}, {"x a": "1"}, {"x-a": "\x00"}])
def test_header_that_forges_another_is_refused(httpserver, headers):
    httpserver.expect_request("/").respond_with_data("")

    with pytest.raises(InvalidInput):
        Client(httpserver.url_for("/")).request("GET", headers=headers)

    assert httpserver.log == []


def test_header_beyond_ascii_is_refused(httpserver):
    httpserver.expect_request("/").respond_with_data("")

    with pytest.raises(InvalidInput):
        Client(httpserver.url_for("/")).request("GET", headers={"x-a": "\u0101"})


def test_peer_that_does_not_answer_leaves_the_outcome_unknown(peer):
    with pytest.raises(UnknownOutcome, match="did not answer within 0.3 s"):
        Client(peer(linger=True), timeout=0.3).request("POST")


@pytest.mark.parametrize("pieces", [
    [], [b"HTTP/1.1 200 OK\r\n"], [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"],
    [b"nonsense\r\n\r\n"]])
def test_peer_that_breaks_off_leaves_the_outcome_unknown(peer, pieces):
    with pytest.raises(UnknownOutcome):
        Client(peer(*pieces), timeout=5).request("POST")


@pytest.mark.parametrize("head", [
    b"", b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;"])
def test_answer_that_drips_ends_at_the_time_limit(peer, head):
    url = peer(head, *[b"H"] * 30, pause=0.1)
    started = time.monotonic()

    with pytest.raises(UnknownOutcome, match="did not answer within 0.5 s"):
        Client(url, timeout=0.5).request("POST")

    assert time.monotonic() - started < 1


def test_answers_to_continue_do_not_lengthen_a_call(peer):
    url = peer(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 30, pause=0.1)
    started = time.monotonic()

    with pytest.raises(UnknownOutcome, match="did not answer within 0.5 s"):
        Client(url, timeout=0.5).request("POST")

    assert time.monotonic() - started < 1


def test_peer_that_takes_a_body_in_drops_ends_at_the_time_limit():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        over = threading.Event()

        def sip():
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.1):
                    connection.recv(20_000)

        thread = threading.Thread(target=sip, daemon=True)
        thread.start()
        started = time.monotonic()

        with pytest.raises(UnknownOutcome, match="did not answer within 0.5 s"):
            Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.5).request(
                "POST", content=b"x" * 40_000_000)

        assert time.monotonic() - started < 1
        over.set()
        thread.join(10)


def test_handshake_that_drips_ends_at_the_time_limit(peer):
    url = peer(b"\x16\x03\x03\x40\x00", *[b"\x02"] * 30, pause=0.1)
    started = time.monotonic()

    with pytest.raises(NotSent):
        Client(url.replace("http:", "https:"), timeout=0.5).request("POST")

    assert time.monotonic() - started < 1


def test_name_with_many_dead_addresses_costs_no_more_than_the_time_limit(monkeypatch):
    with socket.create_server(("0.0.0.0", 0), backlog=0) as server:
        port = server.getsockname()[1]
        full = [socket.socket() for _ in range(4)]  # nobody accepts: the next ones wait
        for queued in full:
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port))
                 for number in range(1, 9)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: [
            entry for entry in found if host in ("dead.example", entry[4][0])])
        started = time.monotonic()

        with pytest.raises(NotSent):
            Client(f"http://dead.example:{port}", timeout=0.5).request("POST")

        assert time.monotonic() - started < 1
        for queued in full:
            queued.close()


def test_living_address_behind_a_dead_one_is_reached(httpserver, monkeypatch):
    httpserver.expect_request("/").respond_with_data("alive")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, httpserver.port))
             for address in ("127.0.0.9", "127.0.0.1")]
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: (
        found if host == "half.example" else lookup(host, *more, **named)))

    answer = Client(f"http://half.example:{httpserver.port}/", timeout=5).request("GET")

    assert answer.text == "alive"


def test_name_that_is_not_found_in_time_is_not_sent(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    started = time.monotonic()

    with pytest.raises(NotSent, match="address of slow.example was not found within"):
        Client("http://slow.example", timeout=0.5).request("POST")

    over.set()
    assert time.monotonic() - started < 1


def test_slow_name_dead_address_and_drip_together_end_at_the_time_limit(peer, monkeypatch):
    url = peer(b"HTTP/1.1 200 OK\r\nx-a: ", *[b"H"] * 60, pause=0.05)
    port, lookup, over = int(url.rsplit(":", 1)[1]), socket.getaddrinfo, threading.Event()

    def slowly(host, *more, **named):
        if host != "worst.example":
            return lookup(host, *more, **named)
        over.wait(0.4)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in ("127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    started = time.monotonic()

    with pytest.raises(UnknownOutcome, match="did not answer within 1 s"):
        Client(f"http://worst.example:{port}", timeout=1).request("POST")

    assert 0.9 < time.monotonic() - started < 1.5


def test_second_call_through_a_kept_connection_has_its_whole_time(peer):
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    url = peer(answer, *[answer[:20], answer[20:]] * 3, pause=0.2)
    client = Client(url, timeout=1)

    assert [client.request("GET").text for _ in range(2)] == ["ok", "ok"]


def test_answer_beyond_the_limit_is_not_read_to_its_end(httpserver):
    httpserver.expect_request("/").respond_with_data(b"x" * 5000)

    with pytest.raises(UnknownOutcome, match="more than 1000 bytes"):
        Client(httpserver.url_for("/")).request("GET", max_bytes=1000)


def test_zip_bomb_is_not_opened_to_its_end(httpserver):
    import gzip

    httpserver.expect_request("/").respond_with_response(Answer(
        gzip.compress(b"\0" * 10_000_000), headers={"content-encoding": "gzip"}))

    with pytest.raises(UnknownOutcome, match="more than 100000 bytes"):
        Client(httpserver.url_for("/")).request("GET", max_bytes=100_000)


def test_answer_that_cannot_be_unzipped_leaves_the_outcome_unknown(httpserver):
    httpserver.expect_request("/").respond_with_response(Answer(
        b"no gzip", headers={"content-encoding": "gzip"}))

    with pytest.raises(UnknownOutcome):
        Client(httpserver.url_for("/")).request("POST")


@pytest.mark.parametrize(("text", "seconds"), [
    ("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-1", None), ("1.5", 1.5),
    ("\xb2", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("9" * 400, 3600.0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0)])
def test_wait_that_was_asked_for_is_read_within_reason(peer, text, seconds):
    url = peer(f"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\nretry-after: {text}\r\n\r\n"
               .encode("latin-1"))

    assert Client(url).request("GET").retry_after == seconds


def test_wait_until_a_date_is_counted_from_now(httpserver):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    httpserver.expect_request("/").respond_with_data("", 429, headers={"retry-after": until})

    assert 50 < Client(httpserver.url_for("/")).request("GET").retry_after <= 60


@pytest.mark.parametrize(("status", "header", "limited"), [
    (429, {}, True), (429, {"retry-after": "soon"}, True), (503, {"retry-after": "1.5"}, True),
    (503, {}, False), (503, {"retry-after": "soon"}, False), (500, {"retry-after": "7"}, False),
    (403, {"retry-after": "7"}, False), (200, {"retry-after": "7"}, False)])
def test_no_for_now_is_a_429_or_a_503_that_names_a_time(httpserver, status, header, limited):
    httpserver.expect_request("/").respond_with_data("", status, headers=header)

    assert Client(httpserver.url_for("/")).request("GET").is_rate_limited is limited


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_is_nothing(httpserver, content):
    httpserver.expect_request("/").respond_with_data(content)

    assert Client(httpserver.url_for("/")).request("GET").json() is None


@pytest.mark.parametrize("url", [
    "http://user:canary@127.0.0.1:{port}/canary?token=canary", "http://127.0.0.1:{port}/canary"])
def test_errors_name_the_place_and_no_secret(url):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(NotSent) as refused:
        Client(url.format(port=port)).request("GET")

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("url", [
    "https://bot:canary/word@hooks.invalid/x", "https://bot:canary#word@hooks.invalid/x",
    "https://bot:canary?word@hooks.invalid/x", "http://127.0.0.1:can ary/", "http://[canary]/",
    "http://can ary/", 'http://can"ary/', "http://can\u00e1ry/", "http://a.invalid/canary\u0001",
    "canary://x", "http://127.0.0.1:canary/"])
def test_error_of_an_address_that_cannot_be_called_repeats_none_of_it(url):
    with pytest.raises((InvalidInput, NotSent)) as refused:
        Client(url).request("GET")

    said = str(refused.value).lower()
    assert "canary" not in said and "ary" not in said.replace("library", ""), said


def test_error_of_a_header_that_cannot_be_sent_repeats_none_of_it(httpserver):
    with pytest.raises(InvalidInput) as refused:
        Client(httpserver.url_for("/")).request("GET", headers={"authorization": "canary\r\nx"})

    assert "canary" not in str(refused.value)


def test_address_whose_port_is_no_number_is_told_so():
    with pytest.raises(InvalidInput, match="its port is no number"):
        Client("https://bot:pass/word@hooks.invalid/x").request("GET")


class _Named(BaseHTTPRequestHandler):
    """Keeps connections open and answers with the port of the caller's end."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        said = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_args):
        pass


def in_a_fork(work):
    """What `work` gives in a copy of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        given = said.read()
    os.waitpid(child, 0)
    return given


def test_forked_worker_does_not_talk_on_the_sockets_of_its_parent():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Named) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_port}")

        mine = [client.request("GET").text for _ in range(2)]
        theirs = in_a_fork(lambda: client.request("GET").text)
        server.shutdown()

    assert mine[0] == mine[1] and theirs not in ("", mine[0])


def test_number_that_json_does_not_have_is_null(httpserver):
    httpserver.expect_request("/").respond_with_data(
        '{"a": NaN, "b": [Infinity, -Infinity, 1e999, 1.5]}', content_type="application/json")

    assert Client(httpserver.url_for("/")).request("GET").json() == {
        "a": None, "b": [None, None, None, 1.5]}
