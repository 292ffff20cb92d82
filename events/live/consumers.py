"""The socket of the live feed, `/ws/events/`: rows as they happen, for people and programs.

Server: {type: hello|feed|gap|beat|subscribed|pong|error}. Client: {type: auth|subscribe|runs|ping}.
Rows may come twice around a `gap` or a reconnect: keep them by id. After a `gap`, read the events
after its id by REST and ask for the runs of those on show.
"""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs

from connections.access import Principal
from connections.envelope import DIRECTIONS
from connections.models import Instance
from events.live import callers, feedrows
from events.live.feed import feed
from events.live.feed_socket import FeedSocket
from events.live.sockets import NO_PROOF, NO_RIGHTS, NOT_FOUND, TOO_MANY
from events.live.subscriptions import Batch, Filter, feed_frame
from omni.errors import InvalidInput, RateLimited

_TYPE = re.compile(r"\*|[a-z][a-z0-9_.]{0,62}(\.\*)?", re.ASCII)
_TYPES_MAX = 32
_EVENTS_MAX = 200
_ID_MAX = 2 ** 63 - 1


class EventsSocket(FeedSocket):
    """Live events and runs of the instances the caller may read.

    Query or `subscribe` frame: instance (slug), event_type (kinds or families, comma separated),
    direction, conversation (id), after (the last `after` seen: what was missed comes first).
    """

    auth_seconds = 5.0
    recheck_seconds = 30.0

    async def connect(self) -> None:
        self.caller: callers.Caller | None = None
        self.asked: dict[str, Any] = {}
        origin, cookies = self.origin(), self.header("cookie")
        person = (await self.in_thread(callers.of_session, cookies)
                  if cookies and origin != "foreign" else None)
        if origin == "foreign" or (origin == "none" and person is not None):
            await self.close()
            return
        await self.accept()
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        self.asked = {name: values[-1] for name, values in query.items()}
        key = self.header("x-api-key") or _bearer(self.header("authorization"))
        if key:
            await self._open_by(key)
        elif person is not None:
            await self._open(person)
        else:
            self.background(self._expect_proof())

    async def _expect_proof(self) -> None:
        await asyncio.sleep(self.auth_seconds)
        if self.caller is None:
            await self.end(NO_PROOF, "no_proof", "sign in, or send {type: auth, key: …} first")

    async def on_frame(self, frame: dict[str, Any]) -> None:
        kind = frame.get("type")
        if self.caller is None:
            key = frame.get("key") if kind == "auth" else None
            await self._open_by(key if isinstance(key, str) else "")
        elif kind == "ping":
            await self.say({"type": "pong"})
        elif kind == "subscribe":
            await self._resubscribe(self.caller, frame)
        elif kind == "runs":
            await self._show_runs(frame.get("events"))
        else:
            await self.problem("unknown_type", "frames are of type subscribe, runs or ping")

    async def _open_by(self, key: str) -> None:
        """Start the feed for a program, unless too many wrong keys came from its address."""
        try:
            caller = await self.in_thread(callers.of_key, key, sender=self.sender())
        except RateLimited as exc:
            await self.end(TOO_MANY, "too_many_keys", exc.message)
            return
        await self._open(caller)

    async def _open(self, caller: callers.Caller | None) -> None:
        """Start the feed for a caller that proved who it is."""
        principal = await self.in_thread(caller.principal) if caller else None
        if caller is None or principal is None:
            await self.end(NO_PROOF, "no_proof", "this key is unknown, revoked or expired")
            return
        if not principal.may("read"):
            await self.end(NO_RIGHTS, "no_rights", "the right to read is missing")
            return
        self.caller = caller
        if not await self.enter(principal.name):
            return
        try:
            wanted = await self.in_thread(_wanted, self.asked, principal)
            wanted_after = _number(self.asked.get("after"))
        except InvalidInput as exc:
            await self.end(NOT_FOUND, exc.code, exc.message)
            return
        if await self.follow(wanted):
            await self.say({"type": "hello", "after": self.followed.after})
            await self._catch_up(wanted_after)
            self.pump()
            self.background(self._recheck(caller))

    async def _resubscribe(self, caller: callers.Caller, frame: dict[str, Any]) -> None:
        principal = await self.in_thread(caller.principal)
        if principal is None or self.subscription is None:
            return
        asked = {name: str(value) for name, value in frame.items() if value is not None}
        try:
            after = _number(asked.get("after"))
            self.want(await self.in_thread(_wanted, asked, principal))
        except InvalidInput as exc:
            await self.problem(exc.code, exc.message)
            return
        self.asked = asked
        await self.say({"type": "subscribed", "after": feed().floor.id})
        await self._catch_up(after)

    async def _show_runs(self, events: Any) -> None:
        """The runs of events the caller has on show, as they are now."""
        asked = events if isinstance(events, list) else []
        ids = [number for number in asked[:_EVENTS_MAX]
               if type(number) is int and 0 < number <= _ID_MAX]
        if self.subscription is None or not ids:
            await self.problem("bad_events", f"events: 1 to {_EVENTS_MAX} ids of events")
            return
        wanted = self.subscription.wanted
        runs = await self.in_thread(feedrows.runs_of_events, ids, wanted_of=wanted.instance_ids)
        await self.write(feed_frame([run for run in runs if wanted.wants(run)],
                                    after=self.subscription.after))

    async def _catch_up(self, after: int | None) -> None:
        """Stored events the caller missed; more than one page of them is a gap to read by REST."""
        if after is None:
            return
        items = await self.in_thread(
            feedrows.stored_events, self.followed.wanted, after=after)
        last = max((item.id for item in items), default=after)
        full = len(items) >= feedrows.PAGE
        resume = last if full else min(last, feed().floor.id)
        if items:
            await self.write(feed_frame(items, after=resume))
        if full:
            await self.say({"type": "gap", "after": last})

    async def on_batch(self, batch: Batch) -> None:
        await self.write(batch.frame)

    async def _recheck(self, caller: callers.Caller) -> None:
        """End the socket when its rights end; narrow or widen it when they change."""
        while True:
            await asyncio.sleep(self.recheck_seconds)
            principal = await self.in_thread(caller.principal)
            if principal is None or not principal.may("read"):
                await self.end(NO_RIGHTS, "no_rights", "the right to read has ended")
                return
            asked = self.asked
            try:
                wanted = await self.in_thread(_wanted, asked, principal)
            except InvalidInput as exc:
                await self.end(NO_RIGHTS, exc.code, exc.message)
                return
            if asked is self.asked:  # not replaced by a `subscribe` meanwhile
                self.want(wanted)


def _bearer(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def _wanted(asked: dict[str, Any], principal: Principal) -> Filter:
    """The filter of a query. What the principal may not see does not exist: InvalidInput."""
    ids = principal.instance_ids
    if slug := asked.get("instance"):
        instance = Instance.objects.visible_to(principal).filter(slug=slug).only("pk").first()
        if instance is None:
            raise InvalidInput(f"there is no instance '{slug[:63]}'", code="unknown_instance")
        ids = frozenset([instance.pk])
    types = tuple(name for name in asked.get("event_type", "").split(",") if name)
    if len(types) > _TYPES_MAX or not all(_TYPE.fullmatch(name) for name in types):
        raise InvalidInput(f"event_type: at most {_TYPES_MAX} kinds like message.text or "
                           "message.*", code="bad_event_type")
    direction = asked.get("direction", "")
    if direction and direction not in DIRECTIONS:
        raise InvalidInput(f"direction is one of {', '.join(DIRECTIONS)}", code="bad_direction")
    return Filter(instance_ids=ids, types=types, direction=direction,
                  conversation_id=_number(asked.get("conversation")))


def _number(text: Any) -> int | None:
    """A row's id from a query or frame; None when it is none."""
    text = str(text if text is not None else "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _ID_MAX):
        raise InvalidInput(f"'{text[:40]}' is no id", code="bad_id")
    return int(text)
