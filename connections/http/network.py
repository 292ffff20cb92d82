"""What the outbound client's sockets may do: reach checked addresses, and be done in time.

`until` sets the end of one whole call; every look-up, connect, handshake, read and write of its
thread gets no longer than what is left, so that a peer which drips has no more time than one that
is silent.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpcore2
from django.conf import settings

from connections.http.addresses import resolve

_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def until(end: float) -> Iterator[None]:
    """Whatever this thread sends or reads inside is over at `end` (monotonic seconds)."""
    before = _end.set(end)
    try:
        yield
    finally:
        _end.reset(before)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """Seconds for the next wait: `timeout`, and never beyond the end of the call."""
    end = _end.get()
    if end is None:
        return timeout
    left = end - time.monotonic()
    if left <= 0:
        raise error("the time of the whole call is over")
    return left if timeout is None else min(timeout, left)


class TimedStream(httpcore2.NetworkStream):
    """A connection all of whose waits end with the call that is using it."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes, timeout=None):
        return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer, timeout=None):
        """Piece by piece: within one write, every byte that is taken starts its timeout anew."""
        sock = self._stream.get_extra_info("socket")
        view = memoryview(buffer)
        while view:
            sock.settimeout(_left(timeout, httpcore2.WriteTimeout))
            try:
                view = view[sock.send(view):]
            except TimeoutError as exc:
                raise httpcore2.WriteTimeout(str(exc)) from exc
            except OSError as exc:
                raise httpcore2.WriteError(str(exc)) from exc

    def close(self):
        self._stream.close()

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        return TimedStream(self._stream.start_tls(
            ssl_context, server_hostname, _left(timeout, httpcore2.ConnectTimeout)))

    def get_extra_info(self, info):
        return self._stream.get_extra_info(info)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to an address that was checked, never to a name resolved a second time.

    Of several addresses each gets an equal part of the time that is left, so that dead ones leave
    some for the living.
    """

    def __init__(self) -> None:
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        end = None if timeout is None else time.monotonic() + timeout
        try:
            addresses = resolve(host, port, allow_private=settings.OMNI_ALLOW_PRIVATE_ADDRESSES,
                                timeout=_left(timeout, httpcore2.ConnectTimeout))
        except OSError as exc:
            raise httpcore2.ConnectError(str(exc)) from exc
        for number, address in enumerate(addresses):
            left = _left(None if end is None else max(0.001, end - time.monotonic()),
                         httpcore2.ConnectTimeout)
            share = None if left is None else left / (len(addresses) - number)
            try:
                return TimedStream(self._plain.connect_tcp(
                    address, port, share, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                failure = exc
        raise failure
