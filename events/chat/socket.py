"""The socket of a visitor of the built-in web chat, `/ws/chat/<instance-slug>/`.

Page: {type: message|file|typing|read|vote|history|ping, id, …} (connections.providers.webchat).
Server: {type: hello|message|history|ack|typing|read|beat|error}.
"""

import json
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

from connections.adapter import Account, Delivery
from connections.models import Instance, lookup
from connections.providers.webchat import visitors
from connections.providers.webchat.adapter import FRAME_MAX
from events.chat import chatlog
from events.door.lane import take
from events.live.feed_socket import FeedSocket
from events.live.sockets import NO_PROOF, NOT_FOUND
from events.live.subscriptions import Batch, Filter
from omni.errors import SignatureMismatch

PROVIDER = "webchat"
_TAKEN = {"message", "file", "typing", "read", "vote"}
_PASSED_ON = ("type", "id", "name", "text", "files", "reply_to", "target", "state", "options")


def cookie_name(slug: str) -> str:
    return f"omni_chat_{slug}"


class ChatSocket(FeedSocket):
    """One visitor's conversation with one instance."""

    frame_max = FRAME_MAX
    frames_per_second = 10.0
    sockets_max = 10

    async def connect(self) -> None:
        self.slug = self.scope["url_route"]["kwargs"]["slug"]
        token = self.header(visitors.TOKEN_HEADER)
        origin = self.origin()
        if origin == "foreign" or (origin == "none" and not token):
            await self.close()
            return
        await self.accept()
        self.token = token or self._cookie_token()
        self.peer = self.sender()
        instance, account = await self.in_thread(lookup, PROVIDER, self.slug)
        if instance is None or account is None or instance.archived_at:
            await self.end(NOT_FOUND, "unknown_chat", "there is no such chat")
            return
        try:
            self.visitor = visitors.visitor_of(
                self.token, slug=self.slug, secret=account.credentials.secret)
        except SignatureMismatch as exc:
            await self.end(NO_PROOF, "no_proof", exc.message)
            return
        if await self.enter(f"visitor:{self.visitor}"):
            await self._open(instance, account)

    async def _open(self, instance: Instance, account: Account) -> None:
        self.instance_id = instance.pk
        wanted = Filter(instance_ids=frozenset([instance.pk]), conversation_ref=self.visitor,
                        rows=False, runs=False, signals=True)
        if not await self.follow(wanted):
            return
        await self.say({"type": "hello", "name": instance.name, "visitor": self.visitor,
                        "greeting": account.settings.greeting,
                        "messages": await self._history(None)})
        self.pump()

    async def on_frame(self, frame: dict[str, Any]) -> None:
        if self.subscription is None:
            return
        kind = frame.get("type")
        if kind == "ping":
            await self.say({"type": "pong"})
        elif kind == "history":
            before = frame.get("before")
            await self.say({"type": "history", "messages": await self._history(
                before if isinstance(before, int) and 0 < before < 2 ** 63 else None)})
        elif kind in _TAKEN:
            await self._take(frame)
        else:
            await self.problem("unknown_type", "frames are of type message, typing or read",
                               id=frame.get("id"))

    async def _take(self, frame: dict[str, Any]) -> None:
        """Give a frame to the front door, as this visitor's, and tell the page what came of it."""
        said = {name: frame[name] for name in _PASSED_ON if name in frame}
        body = json.dumps({**said, "visitor": self.visitor}).encode()
        answer = await take(Delivery(
            body=body, method="SOCKET", transport="socket", received_at=datetime.now(UTC),
            headers={"content-type": "application/json", visitors.TOKEN_HEADER: self.token},
            peer=self.peer), provider=PROVIDER, slug=self.slug)
        if answer.status < 300:
            await self.say({"type": "ack", "id": frame.get("id"), "status": answer.status})
        elif answer.status == 429:
            await self.problem("too_many", answer.body["error"]["message"], id=frame.get("id"),
                               status=429, retry_after=int(answer.headers["Retry-After"]))
        else:
            await self.problem("not_taken", "not stored; send it again", id=frame.get("id"),
                               status=answer.status)

    async def on_batch(self, batch: Batch) -> None:
        if batch.gap:
            await self.say({"type": "history", "messages": await self._history(None)})
        for signal in batch.signals:
            if signal.by:
                continue  # the visitor's own
            await self.say({"type": "read"} if signal.state == "read" else
                           {"type": "typing", "state": signal.state})
        if ids := [item.id for item in batch.items]:
            for message in await self.in_thread(
                    chatlog.messages, ids, instance_id=self.instance_id, slug=self.slug,
                    visitor=self.visitor):
                await self.say({"type": "message", "message": message})

    async def _history(self, before: int | None) -> list[dict]:
        return await self.in_thread(
            chatlog.history, instance_id=self.instance_id, slug=self.slug, visitor=self.visitor,
            before=before)

    def _cookie_token(self) -> str:
        try:
            cookie = SimpleCookie(self.header("cookie")).get(cookie_name(self.slug))
        except CookieError:
            return ""
        return cookie.value if cookie else ""
