"""Serves Django's WSGI handler from an ASGI server, through a bounded number of threads.

Django behind its own ASGI handler is two to five times slower for views that are not async. The
request body is read whole before a thread is taken, so that a slow sender never holds one.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

THREADS = 16
READ_SECONDS = 30.0
_SPILL_BYTES = 1024 * 1024
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _SenderLeftError(Exception):
    """The sender is gone before the body was complete."""


class WSGIBridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, application: WSGIHandler) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="django")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        with tempfile.SpooledTemporaryFile(max_size=_SPILL_BYTES) as body:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    if not await _read(receive, body):
                        await _refuse(send, 413, b"The body is too large.\n")
                        return
            except _SenderLeftError:
                return
            except TimeoutError:
                await _refuse(send, 408, b"The body did not arrive in time.\n")
                return
            status, headers, content = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._respond, environ(scope, body))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body",
                    "body": b"" if scope["method"] == "HEAD" else content})

    def _respond(self, values: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]],
                           exc_info: Any = None) -> None:
            started[:] = [status, headers]

        answer = self._application(values, start_response)
        try:
            content = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = started
        return int(status.split(" ", 1)[0]), [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers], content


def environ(scope: dict[str, Any], body: Any) -> dict[str, Any]:
    """The WSGI environment of an ASGI request. Source: PEP 3333 and the ASGI HTTP specification."""
    host, port = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    values: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"], "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": host, "SERVER_PORT": str(port or 80), "REMOTE_ADDR": client[0],
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "wsgi.version": (1, 0), "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body, "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False}
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            continue  # would pose as the header with a hyphen: both become the same variable
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        name = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        joint = "; " if name == "HTTP_COOKIE" else ","
        values[name] = f"{values[name]}{joint}{value}" if name in values else value
    body.seek(0, io.SEEK_END)
    values["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    return values


async def _read(receive: Receive, body: Any) -> bool:
    """Read the whole body into `body`; False when it is larger than allowed."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _SenderLeftError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > settings.OMNI_WEBHOOK_MAX_BYTES:
            return False
        body.write(chunk)
        if not message.get("more_body"):
            return True


async def _refuse(send: Send, status: int, text: bytes) -> None:
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": text})
