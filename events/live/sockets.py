"""What every socket of ours has in common: limits on frames, who may open it, orderly ends.

Close codes: 4400 three bad frames, 4401 no or wrong proof, 4403 rights missing or lost, 4404 no
such thing, 4408 the other side stopped reading, 4429 too many frames, sockets or wrong keys.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from connections.payload import Unparsable, parse_json
from events.live.socket_threads import threads
from omni.web.peer import peer_of

logger = logging.getLogger("omni.sockets")
BAD_FRAMES, NO_PROOF, NO_RIGHTS, NOT_FOUND = 4400, 4401, 4403, 4404
SLOW, TOO_MANY = 4408, 4429
STRIKES = 3
SEND_SECONDS = 20.0
Result = TypeVar("Result")
Given = ParamSpec("Given")


class Throttle:
    """A bucket of `burst` frames that refills by `per_second`."""

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = burst, time.monotonic()

    def allows(self, *, now: float | None = None) -> bool:
        """Whether one more frame fits. now: monotonic seconds."""
        now = time.monotonic() if now is None else now
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Crowd:
    """How many sockets each owner has open in this process."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, owner: str, *, most: int) -> bool:
        if self._open[owner] >= most:
            return False
        self._open[owner] += 1
        return True

    def leave(self, owner: str) -> None:
        self._open[owner] -= 1
        if self._open[owner] <= 0:
            del self._open[owner]


crowd = Crowd()


class Socket(AsyncWebsocketConsumer):
    """A socket of JSON objects. Subclasses write `on_frame` and, to clean up, `leave`."""

    frame_max = 64 * 1024  # bytes
    frames_per_second = 30.0
    sockets_max = 50  # of one owner, in one process

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.closed = False
        self._owner = ""
        self._strikes = 0
        self._throttle = Throttle(per_second=self.frames_per_second, burst=self.frames_per_second)
        self._tasks: set[asyncio.Task] = set()

    async def on_frame(self, frame: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} must say what a frame means")

    async def leave(self) -> None:
        """Called once when the socket ends, whoever ended it."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.closed:
            return
        if not self._throttle.allows():
            await self.end(TOO_MANY, "too_many_frames",
                           f"more than {self.frames_per_second:g} frames a second")
        elif text_data is None:
            await self._strike("not_text", "frames are JSON text")
        elif len(text_data) > self.frame_max or len(text_data.encode()) > self.frame_max:
            await self._strike("too_large", f"a frame has at most {self.frame_max} bytes")
        else:
            await self._read(text_data)

    async def _read(self, text: str) -> None:
        try:
            frame = parse_json(text.encode("utf-8", "replace")).value
        except Unparsable as exc:
            await self._strike(exc.code, exc.message)
            return
        if isinstance(frame, dict):
            await self.on_frame(frame)
        else:
            await self._strike("not_object", "a frame is a JSON object")

    async def _strike(self, code: str, message: str) -> None:
        self._strikes += 1
        if self._strikes < STRIKES:
            await self.problem(code, message)
        else:
            await self.end(BAD_FRAMES, code, message)

    async def say(self, frame: dict[str, Any]) -> None:
        await self.write(json.dumps(frame, ensure_ascii=False, default=str))

    async def write(self, text: str) -> None:
        """Send one frame; an other side that does not read for long loses the socket."""
        if self.closed:
            return
        try:
            await asyncio.wait_for(self.send(text_data=text), SEND_SECONDS)
        except TimeoutError:
            await self._end(SLOW)

    async def in_thread(self, function: Callable[Given, Result],
                        *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What a function that asks the database returns; called in a thread of the sockets."""
        return await threads.call(self._owner or self.sender(), function, *args, **kwargs)

    async def problem(self, code: str, message: str, **facts: Any) -> None:
        await self.say({"type": "error", "code": code, "message": message, **facts})

    async def end(self, close_code: int, code: str, message: str) -> None:
        """Say why, then close."""
        await self.problem(code, message)
        await self._end(close_code)

    async def _end(self, close_code: int) -> None:
        if not self.closed:
            await self._clean_up()
            await self.close(code=close_code)

    async def disconnect(self, code: int) -> None:
        if not self.closed:
            await self._clean_up()

    async def _clean_up(self) -> None:
        self.closed = True
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        if self._owner:
            crowd.leave(self._owner)
            self._owner = ""
        await self.leave()

    async def enter(self, owner: str) -> bool:
        """Count the socket for its owner; False when it was one too many and is closed."""
        if not crowd.enter(owner, most=self.sockets_max):
            await self.end(TOO_MANY, "too_many_sockets",
                           f"at most {self.sockets_max} sockets at the same time")
            return False
        self._owner = owner
        return True

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the socket until it ends; what fails there ends the socket."""
        task = asyncio.create_task(self._watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            if not self.closed:
                logger.exception("A socket failed.", extra={"socket": type(self).__name__})
                await self._end(1011)

    def sender(self) -> str:
        """The address of the other side's machine."""
        return peer_of((self.scope.get("client") or ("", 0))[0], self.header("x-forwarded-for"))

    def header(self, name: str) -> str:
        """A header of the handshake, the first of that name; "" when there is none."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.scope.get("headers", [])
                     if key.lower() == wanted), "")

    def origin(self) -> str:
        """own: the page came from us; none: no browser; foreign: refuse it."""
        given = self.header("origin")
        if not given:
            return "none"
        return "own" if is_own_origin(given, host=self.header("host")) else "foreign"


def is_own_origin(origin: str, *, host: str) -> bool:
    """Whether a page of `origin` may open a socket: it is served by us, under a name of ours."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    domain, _ = split_domain_port(host)
    return (parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
            and bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS))
