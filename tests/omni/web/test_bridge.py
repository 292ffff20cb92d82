"""Django's WSGI handler behind an ASGI server."""

import asyncio
import threading

import pytest

from omni.web import bridge
from omni.web.bridge import WSGIBridge, environ

SCOPE = {"type": "http", "method": "POST", "path": "/x", "query_string": b"a=1",
         "headers": [], "server": ("omni.example", 8000), "client": ("203.0.113.7", 5)}


class Application:
    """A WSGI application that keeps what it was given and answers as told."""

    def __init__(self, status="200 OK", headers=(), content=(b"hello",)):
        self.status, self.headers, self.content = status, list(headers), content
        self.environ, self.body, self.closed = None, None, 0

    def __call__(self, values, start_response):
        self.environ, self.body = values, values["wsgi.input"].read()
        start_response(self.status, self.headers)
        return self

    def __iter__(self):
        return iter(self.content)

    def close(self):
        self.closed += 1


async def ask(application, *messages, **scope):
    """(status, headers, content) of one request; None when nothing was answered."""
    waiting = list(messages) or [{"type": "http.request", "body": b""}]
    sent = []

    async def receive():
        return waiting.pop(0) if waiting else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await WSGIBridge(application)({**SCOPE, **scope}, receive, send)
    if not sent:
        return None
    return sent[0]["status"], sent[0]["headers"], b"".join(
        message["body"] for message in sent[1:])


async def test_answer_of_django_is_the_answer_of_the_server():
    application = Application("404 Not Found", [("Content-Type", "text/plain"), ("X-A", "é")],
                              [b"no", b"thing"])

    answer = await ask(application)

    assert answer == (404, [(b"content-type", b"text/plain"), (b"x-a", b"\xe9")], b"nothing")
    assert application.closed == 1


async def test_head_has_headers_and_no_body():
    status, headers, content = await ask(
        Application(headers=[("Content-Length", "5")]), method="HEAD")

    assert (status, headers, content) == (200, [(b"content-length", b"5")], b"")


async def test_several_cookies_are_several_headers():
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    _, sent, _ = await ask(Application(headers=headers))

    assert sent == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


@pytest.mark.parametrize("size", [0, 10, bridge._SPILL_BYTES * 2])
async def test_body_in_pieces_is_read_whole_whatever_its_size(size):
    application, body = Application(), b"x" * size
    half = size // 2

    await ask(application, {"type": "http.request", "body": body[:half], "more_body": True},
              {"type": "http.request", "body": body[half:]})

    assert application.body == body
    assert application.environ["CONTENT_LENGTH"] == str(size)


async def test_body_over_the_cap_is_413_and_never_reaches_django(settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000
    application = Application()

    status, _, _ = await ask(application, {"type": "http.request", "body": b"x" * 1001})

    assert status == 413 and application.environ is None


async def test_body_that_does_not_arrive_in_time_is_408(monkeypatch):
    monkeypatch.setattr(bridge, "READ_SECONDS", 0.05)
    application = Application()

    status, _, _ = await ask(application, {"type": "http.request", "body": b"x",
                                           "more_body": True})

    assert status == 408 and application.environ is None


async def test_request_whose_sender_left_in_the_middle_never_reaches_django():
    application = Application()

    answer = await ask(application, {"type": "http.request", "body": b"half", "more_body": True},
                       {"type": "http.disconnect"})

    assert answer is None and application.environ is None


async def test_slow_requests_do_not_wait_for_each_other():
    together = threading.Barrier(3)

    class Slow(Application):
        def __call__(self, values, start_response):
            together.wait(10)
            return super().__call__(values, start_response)

    served = WSGIBridge(Slow())

    async def one():
        async def receive():
            return {"type": "http.request", "body": b""}

        async def send(message):
            pass

        await served(SCOPE, receive, send)

    await asyncio.gather(one(), one(), one())


def made(**scope):
    import io

    return environ({**SCOPE, **scope}, io.BytesIO())


def test_request_line_and_peer_are_translated():
    values = made(scheme="https", http_version="2")

    assert (values["REQUEST_METHOD"], values["PATH_INFO"], values["QUERY_STRING"]) == (
        "POST", "/x", "a=1")
    assert (values["SERVER_NAME"], values["SERVER_PORT"], values["REMOTE_ADDR"]) == (
        "omni.example", "8000", "203.0.113.7")
    assert (values["wsgi.url_scheme"], values["SERVER_PROTOCOL"]) == ("https", "HTTP/2")


def test_header_that_comes_twice_is_joined_and_cookies_in_their_own_way():
    values = made(headers=[(b"x-a", b"1"), (b"X-A", b"2"), (b"cookie", b"a=1"),
                           (b"cookie", b"b=2")])

    assert (values["HTTP_X_A"], values["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")


def test_header_with_underscores_cannot_pose_as_another():
    values = made(headers=[(b"x_api_key", b"forged"), (b"content_type", b"forged"),
                           (b"content-type", b"text/plain")])

    assert "HTTP_X_API_KEY" not in values and values["CONTENT_TYPE"] == "text/plain"


@pytest.mark.parametrize(("path", "info"), [
    ("/caf\xe9", "/caf\xc3\xa9"), ("/\U0001f600", "/\xf0\x9f\x98\x80"), ("/\udcff", "/\xff")])
def test_path_is_given_as_wsgi_wants_it(path, info):
    assert made(path=path)["PATH_INFO"] == info


@pytest.mark.parametrize("scope", [{"server": None}, {"client": None}, {"server": ("/a", None)}])
def test_server_on_a_socket_has_no_address(scope):
    assert made(**scope)["REQUEST_METHOD"] == "POST"
