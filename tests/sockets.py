"""The other end of a socket, in the same event loop: speaks ASGI to the application directly."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter

from omni.urls_sockets import websocket_urlpatterns

APPLICATION = URLRouter(websocket_urlpatterns)
SECONDS = 10.0


class Phone:
    """One socket to an address of ours. headers: [(name, value)] of the handshake."""

    def __init__(self, address: str, headers: list[tuple[bytes, bytes]] | None = None, *,
                 client: tuple[str, int] | None = None) -> None:
        parts = urlsplit(address)
        self._line = ApplicationCommunicator(APPLICATION, {
            "type": "websocket", "path": parts.path, "query_string": parts.query.encode(),
            "headers": list(headers or []), "subprotocols": [],
            **({"client": client} if client else {})})

    async def connect(self) -> bool:
        """Whether the handshake was accepted."""
        await self._line.send_input({"type": "websocket.connect"})
        message = await self._line.receive_output(SECONDS)
        return message["type"] == "websocket.accept"

    async def opened(self) -> dict[str, Any]:
        """Connect and wait for the server's hello."""
        assert await self.connect()
        return await self.heard("hello")

    async def say(self, **frame: Any) -> None:
        await self.say_raw(text=json.dumps(frame))

    async def say_raw(self, **frame: Any) -> None:
        await self._line.send_input({"type": "websocket.receive", **frame})

    async def heard(self, kind: str) -> dict[str, Any]:
        """The next frame of a type; others are passed over."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self._line.receive_output(SECONDS)
                assert message["type"] == "websocket.send", message
                frame = json.loads(message["text"])
                if frame["type"] == kind:
                    return frame

    async def closing_code(self) -> int:
        """How the server ends the socket."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self._line.receive_output(SECONDS)
                if message["type"] == "websocket.close":
                    return message["code"]

    async def hang_up(self) -> None:
        if not self._line.future.done():
            await self._line.send_input({"type": "websocket.disconnect", "code": 1000})
            await self._line.wait(SECONDS)
