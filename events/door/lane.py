"""The same hop as `views`, without Django's request cycle: an ASGI callable for hot POSTs.

Small bodies of a known instance are taken on the event loop, the rest in a few threads, so that
nothing slow stands in the way of the next delivery. Whoever is not known yet, or sends what has to
be opened first, waits for threads of their own; what has to be opened before it can be proven is
opened one at a time. In all of them accounts take turns.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from connections.adapter import Answer, Delivery
from connections.models import is_cached, was_known
from events.door import body_encoding, large_bodies
from events.door.admission import Admitted, admit, announced, error, refuse, try_later
from events.door.body_budget import Share, budget
from events.door.fair_threads import FairThreads
from events.door.handover import end_of
from events.door.receive import answered, proven_as_sent, take_in
from omni.errors import Unavailable
from omni.web.peer import peer_of

PREFIX = "/webhooks/"
LEGACY_PREFIX = "/webhook/evolution/"
READ_SECONDS = 15.0
COMMIT_SECONDS = 25.0
_INLINE_BYTES = 128 * 1024
_DISCARDED_BYTES, _DISCARD_SECONDS = 1024 * 1024, 2.0  # of a body whose sender is refused
_UNPROVEN_WAITING = 50  # bodies of one account that are to be opened before they are proven
_threads = FairThreads(4, "lane")
_strangers = FairThreads(2, "lane-strangers")
_openers = FairThreads(2, "lane-openers")
_unproven = FairThreads(1, "lane-unproven", most=_UNPROVEN_WAITING)
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
    query = scope.get("query_string", b"").decode("latin-1")
    delivery_of = partial(
        Delivery, headers=headers, method=scope["method"], path=tail, query=query,
        url=f"{settings.OMNI_PUBLIC_URL}{scope['path']}{'?' if query else ''}{query}",
        peer=peer_of((scope.get("client") or ("", 0))[0], headers.get("x-forwarded-for", "")))
    head = delivery_of(b"", received_at=datetime.now(UTC))
    admitted = await _admit(head, provider=provider, slug=slug, size=announced(headers))
    if isinstance(admitted, Answer):
        await _discard(receive_, announced(headers))
        await _send(send, admitted)
        return
    with budget.share(unproven_of=admitted.unproven_of) as share:
        body = await _read(receive_, head, admitted, share)
        if isinstance(body, Answer):
            share.release()
            await _send(send, body)
            return
        answer = share.until(await _taken(
            delivery_of(body, received_at=datetime.now(UTC)), admitted, share))
    await _send(send, await _in_time(answer))


async def take(delivery: Delivery, *, provider: str, slug: str) -> Answer:
    """`receive` from an event loop: what may ask the database or takes long runs in a thread."""
    admitted = await _admit(replace(delivery, body=b""), provider=provider, slug=slug,
                            size=len(delivery.body))
    if isinstance(admitted, Answer):
        return admitted
    with budget.share(unproven_of=admitted.unproven_of) as share:
        answer = share.until(await _taken(delivery, admitted, share))
    return await _in_time(answer)


async def _admit(head: Delivery, *, provider: str, slug: str,
                 size: int | None) -> Admitted | Answer:
    if settings.OMNI_GROUP_COMMIT and is_cached(provider, slug):
        return admit(head, provider=provider, slug=slug, size=size)
    threads = _threads if was_known(provider, slug) else _strangers

    def admitted() -> Admitted | Answer:
        close_old_connections()
        return admit(head, provider=provider, slug=slug, size=size)

    return await asyncio.wrap_future(threads.submit(f"{provider}/{slug}", admitted))


async def _taken(delivery: Delivery, admitted: Admitted, share: Share) -> "Future[Answer]":
    threads, whose = _threads, admitted.address
    if body_encoding.encoding_of(delivery):
        admitted = await asyncio.wrap_future(
            _openers.submit(whose, proven_as_sent, delivery, admitted))
        if admitted.proof:
            share.proven()
        threads = _openers if admitted.proof else _unproven
    elif (len(delivery.body) <= _INLINE_BYTES and settings.OMNI_GROUP_COMMIT) or (
            large_bodies.is_large(delivery) and admitted.proof):
        return take_in(delivery, admitted, share)

    def taken() -> "Future[Answer]":
        close_old_connections()
        return take_in(delivery, admitted, share)

    try:
        done = threads.submit(whose, taken)
    except Unavailable as exc:
        return answered(try_later(exc.message))
    return await asyncio.wrap_future(done)


async def _in_time(answer: "Future[Answer]") -> Answer:
    try:
        return await end_of(answer, seconds=COMMIT_SECONDS)
    except TimeoutError:
        return try_later("not committed in time")


async def _read(receive_: Receive, head: Delivery, admitted: Admitted,
                share: Share) -> bytes | Answer:
    """The whole body, or the refusal of one that is too large, too much now, or does not arrive."""
    if not share.has_room(announced(head.headers) or 0):
        return try_later("too many bodies are in flight")
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive_()
                if message["type"] == "http.disconnect":
                    return error(400, "unreadable", "the body did not arrive whole")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > admitted.most:
                    return await asyncio.wrap_future(_threads.submit(
                        admitted.address, refuse, head, 413, "too_large", admitted.address))
                if not share.take(len(chunk)):
                    return try_later("too many bodies are in flight")
                chunks.append(chunk)
                if not message.get("more_body"):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        return error(408, "too_slow", f"the body did not arrive within {READ_SECONDS:g} s")


async def _discard(receive_: Receive, size: int | None) -> None:
    """Let a short body pass unkept: many senders read no answer before theirs is sent."""
    left = _DISCARDED_BYTES
    if size is not None and size > left:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while left > 0:
                message = await receive_()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _send(send: Send, answer: Answer) -> None:
    body, content_type = answer.encoded()
    headers = [(b"content-type", content_type.encode()),
               (b"content-length", str(len(body)).encode()),
               (b"x-content-type-options", b"nosniff")]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
