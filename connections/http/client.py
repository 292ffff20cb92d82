"""The one outbound HTTP client: bounded in time and size, typed errors, no private addresses.

A name is resolved once, every address is checked, and the connection goes to the checked address.
No redirects are followed and no proxy settings of the environment are used.
"""

import json as json_text
import math
import os
import re
import ssl
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from connections.http import bulkhead, retry_after
from connections.http.network import CheckedBackend, until
from omni.errors import InvalidInput, NotSent, UnknownOutcome

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 5.0
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_BAD_REQUEST = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError,
                UnicodeError)  # the last: a header beyond ASCII
_PLAIN_HOST = re.compile(r"[A-Za-z0-9._:-]+")  # a name or an IP address, with nothing encoded
Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"user-agent": "omni", "accept": "*/*", "accept-encoding": "gzip, deflate"}


class _Shared:
    """One connection pool per thread, which nobody waits for; a fork gets its own. The TLS context
    is one for the process.

    A bare transport: httpx2's client adds redirects, authentication flows and a cookie jar, which
    costs more than the call itself and would carry the cookies of one account to another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._mine = threading.local()

    def transport(self) -> httpx2.HTTPTransport:
        if getattr(self._mine, "pid", 0) != os.getpid():
            context = self._tls()
            transport = httpx2.HTTPTransport(verify=context, trust_env=False)
            transport._pool = httpcore2.ConnectionPool(
                ssl_context=context, max_connections=20, max_keepalive_connections=5,
                keepalive_expiry=4.0, network_backend=CheckedBackend())
            self._mine.transport, self._mine.pid = transport, os.getpid()
        return self._mine.transport

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = httpx2.HTTPTransport(trust_env=False)._pool._ssl_context
            return self._context


_shared = _Shared()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that was read whole."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The parsed body, None when it is not JSON; a number that JSON does not have is null."""
        try:
            return json_text.loads(self.content, parse_constant=_no_number, parse_float=_number)
        except (ValueError, RecursionError):
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds the other side asks us to wait, an hour at most; None when it does not say."""
        return retry_after.seconds(self.headers.get("retry-after", ""))

    @property
    def is_rate_limited(self) -> bool:
        """A no for now: nothing was done, and the same request may be made again later.

        429, and a 503 that names a time (RFC 9110, 15.6.4); a 503 alone does not say how far the
        request came.
        """
        return self.status == 429 or (self.status == 503 and self.retry_after is not None)


class Client:
    """Calls to one base address. timeout: seconds for a whole call, from the name to the answer.

    account: id of the instance whose calls they are; in a step of a run they are the run's.
    """

    def __init__(self, base_url: str = "", *, headers: dict[str, str] | None = None,
                 timeout: float = 30.0, account: int | None = None) -> None:
        self.base_url = base_url
        self.headers = headers or {}
        self.timeout = timeout
        self.account = account

    def reserve(self) -> None:
        """Take the place of this step's next call here, so that an attempt that is written down
        before the call is one. Raises Held when there is none (`bulkhead.reserve`).
        """
        origin = origin_of(self.base_url)
        if origin is not None:
            bulkhead.reserve(origin[1:])

    def request(self, method: str, path: str = "", *, json: Any = None,
                content: bytes | None = None, data: Any = None, files: Any = None,
                params: Any = None, headers: dict[str, str] | None = None,
                timeout: float | None = None,
                max_bytes: int = MAX_RESPONSE_BYTES) -> Response:
        """One request, one answer; a status is never an error here.

        Raises NotSent when nothing left this machine, UnknownOutcome when the other side may have
        acted, InvalidInput when the address itself is wrong; Held or RateLimited when too many
        calls to this host are under way (`bulkhead`).
        """
        limit = timeout or self.timeout
        end = time.monotonic() + limit
        limits = httpx2.Timeout(limit, connect=min(CONNECT_SECONDS, limit))
        url = f"{self.base_url.rstrip('/')}/{path.lstrip('/')}" if path else self.base_url
        try:
            request = httpx2.Request(
                method, url, json=json, content=content, data=data, files=files, params=params,
                headers=httpx2.Headers({**_HEADERS, **self.headers, **(headers or {})}),
                extensions={"timeout": limits.as_dict()})
            _sign_in(request)
            with bulkhead.place(_origin(request.url)[1:], account=self.account,
                                timeout=limit), until(end):
                answer = _shared.transport().handle_request(request)
                try:
                    answer.request = request
                    return Response(answer.status_code, answer.headers, _read(answer, max_bytes))
                finally:
                    answer.close()
        except _NOT_SENT as exc:
            why = f": {exc}" if _is_plain(url) else ""
            raise NotSent(f"could not connect to {place_of(url)}{why}") from exc
        except _BAD_REQUEST as exc:  # from None: their messages repeat parts of it
            raise InvalidInput(f"cannot call {place_of(url)}: {_fault(exc)}",
                               code="bad_url") from None
        except httpx2.TimeoutException as exc:
            raise UnknownOutcome(f"{place_of(url)} did not answer within {limit:g} s") from exc
        except httpx2.RequestError as exc:
            raise UnknownOutcome(f"{place_of(url)} broke off: {type(exc).__name__}") from exc


def _no_number(_: str) -> None:
    """What NaN and Infinity stand for; RFC 8259, 6, has neither, and nothing can store them."""


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _sign_in(request: httpx2.Request) -> None:
    """Name and password of an address go into Authorization, unless the caller fills it in."""
    if request.url.userinfo and "authorization" not in request.headers:
        name, password = request.url.username, request.url.password
        request.headers["authorization"] = (
            "Basic " + b64encode(f"{name}:{password}".encode()).decode())


def _read(answer: httpx2.Response, max_bytes: int) -> bytes:
    chunks, size = [], 0
    for chunk in answer.iter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise UnknownOutcome(f"{place_of(str(answer.url))} answered more than {max_bytes} "
                                 "bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port in their one spelling; None for what is no URL. Not to be shown."""
    try:
        return _origin(httpx2.URL(url)) if url else None
    except httpx2.InvalidURL:
        return None


def _origin(url: httpx2.URL) -> Origin:
    return url.scheme, url.host.rstrip("."), url.port or _PORTS.get(url.scheme, 0)


def place_of(url: str) -> str:
    """Scheme, host and port only: paths and queries may carry secrets. Of an address that cannot
    be read, or whose host had to be encoded, nothing: any part of it may be one.
    """
    if not _is_plain(url):
        return "an address that is no plain URL"
    parsed = httpx2.URL(url)
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.scheme}://{parsed.host}{port}"


def _is_plain(url: str) -> bool:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(_PLAIN_HOST.fullmatch(parsed.host))


def _fault(exc: Exception) -> str:
    """What is wrong with a request that cannot be made, without a part of it."""
    if isinstance(exc, httpx2.UnsupportedProtocol):
        return "it must begin with https:// or http:// and name a host"
    if not isinstance(exc, httpx2.InvalidURL):
        return "a header, or the host, holds a sign that none may hold"
    if str(exc).startswith("Invalid port"):
        return "its port is no number; write / ? # in a password as %2F %3F %23"
    return "it is no valid URL: its host, or a sign in it, cannot be read"
