"""The same hop as `views`, without Django's request cycle: an ASGI callable for hot POSTs.

Bodies are read here, up to the cap; small ones of a known instance are taken on the event loop,
the rest in a few threads, so that nothing slow stands in the way of the next delivery.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from connections.adapter import Answer, Delivery
from connections.models import is_cached
from events.receive import receive, too_large

PREFIX = "/webhooks/"
LEGACY_PREFIX = "/webhook/evolution/"
READ_SECONDS = 15.0
COMMIT_SECONDS = 25.0
_INLINE_BYTES = 128 * 1024
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="lane")
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def address(path: str) -> tuple[str, str, str] | None:
    """(provider, slug, tail) of a webhook path, None for any other."""
    if path.startswith(PREFIX):
        provider, _, rest = path[len(PREFIX):].partition("/")
        slug, _, tail = rest.partition("/")
        return (provider, slug, tail.strip("/")) if slug else None
    if path.startswith(LEGACY_PREFIX):
        slug, _, tail = path[len(LEGACY_PREFIX):].partition("/")
        return ("whatsapp_evolution", slug, tail.strip("/")) if slug else None
    return None


async def lane(scope: dict[str, Any], receive_: Receive, send: Send) -> None:
    """Take one POST whose path `address` knows."""
    provider, slug, tail = address(scope["path"]) or ("", "", "")
    headers = {name.decode("latin-1"): value.decode("latin-1")
               for name, value in scope["headers"]}
    body = await _read(receive_, headers)
    if body is None:
        body = await asyncio.get_running_loop().run_in_executor(
            _threads, partial(too_large, headers, provider=provider, slug=slug))
    if isinstance(body, Answer):
        await _send(send, body)
        return
    query = scope.get("query_string", b"").decode("latin-1")
    delivery = Delivery(
        body=body, headers=headers, method=scope["method"], path=tail, query=query,
        url=f"{settings.OMNI_PUBLIC_URL}{scope['path']}{'?' if query else ''}{query}",
        received_at=datetime.now(UTC))
    await _send(send, await take(delivery, provider=provider, slug=slug))


async def take(delivery: Delivery, *, provider: str, slug: str) -> Answer:
    """`receive` from an event loop: what may ask the database or takes long runs in a thread."""
    if len(delivery.body) <= _INLINE_BYTES and is_cached(provider, slug):
        answer = receive(delivery, provider=provider, slug=slug)
    else:
        answer = await asyncio.get_running_loop().run_in_executor(
            _threads, _in_thread, delivery, provider, slug)
    try:
        return await asyncio.wait_for(asyncio.wrap_future(answer), COMMIT_SECONDS)
    except TimeoutError:
        return Answer(503, {"error": {"code": "unavailable", "message": "send it again"}},
                      {"Retry-After": "5"})


def _in_thread(delivery: Delivery, provider: str, slug: str) -> "Future[Answer]":
    close_old_connections()
    return receive(delivery, provider=provider, slug=slug)


async def _read(receive_: Receive, headers: dict[str, str]) -> bytes | Answer | None:
    """The whole body, None when it is too large, or the refusal of one that does not arrive."""
    most = settings.OMNI_WEBHOOK_MAX_BYTES
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most:
        return None
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive_()
                if message["type"] == "http.disconnect":
                    return Answer(400, {"error": {"code": "unreadable", "message":
                                                  "the body did not arrive whole"}})
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > most:
                    return None
                chunks.append(chunk)
                if not message.get("more_body"):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        return Answer(408, {"error": {"code": "too_slow", "message":
                                      f"the body did not arrive within {READ_SECONDS:g} s"}})


async def _send(send: Send, answer: Answer) -> None:
    body, content_type = answer.encoded()
    headers = [(b"content-type", content_type.encode()),
               (b"content-length", str(len(body)).encode()),
               (b"x-content-type-options", b"nosniff")]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
