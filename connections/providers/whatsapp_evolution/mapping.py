"""One webhook body of Evolution API becomes event drafts. Pure: no network, no database."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from connections.adapter import Delivery
from connections.envelope import UNMAPPED, EventDraft
from connections.items import Reading, map_each
from connections.providers.whatsapp_evolution import accounts, chats, happenings
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import bare
from connections.providers.whatsapp_evolution.lifecycle import read_deleted, read_edited
from connections.providers.whatsapp_evolution.messages import read_message
from connections.providers.whatsapp_evolution.scalars import as_dict, as_text
from connections.providers.whatsapp_evolution.statuses import read_update

Reader = Callable[[Any, Frame, str], list[EventDraft]]

READERS: dict[str, Reader] = {
    "messages.upsert": read_message,
    "messages.set": read_message,
    "send.message": read_message,
    "messages.edited": read_edited,
    "send.message.update": read_edited,
    "messages.update": read_update,
    "messages.delete": read_deleted,
    **dict.fromkeys(chats.CONTACT_KINDS, chats.read_contact),
    **dict.fromkeys(chats.CHAT_KINDS, chats.read_chat),
    "groups.upsert": chats.read_group,
    "groups.update": chats.read_group,
    "group.update": chats.read_group,
    "group-participants.update": chats.read_members,
    "labels.edit": chats.read_label,
    "labels.association": chats.read_label_use,
    "presence.update": happenings.read_presence,
    "call": happenings.read_call,
    "typebot.start": happenings.read_bot,
    "typebot.change-status": happenings.read_bot,
    "connection.update": accounts.read_connection,
    "status.instance": accounts.read_connection,
    "qrcode.updated": accounts.read_qr,
    **dict.fromkeys(accounts.NAMED, accounts.read_named),
}
SOURCES = {"messages.set": "history", "chats.set": "history", "contacts.set": "history",
           "send.message": "echo", "send.message.update": "echo"}
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def _spelling(name: str) -> str:
    return _SEPARATORS.sub(".", name.lower()).strip(".")


_NAMES = {_spelling(name): name for name in READERS}


def event_name(name: str) -> str:
    """The documented name of an event in any spelling; an unknown one as it came."""
    return _NAMES.get(_spelling(name), name)


def to_drafts(payload: Any, *, delivery: Delivery, slug: str = "", owner_jid: str = "",
              own_lid: str = "") -> list[EventDraft]:
    """The drafts of one body, at least one.

    payload: parsed JSON. slug: the instance, the scope of LIDs. owner_jid, own_lid: the account's
    own addresses as configured; the body's `sender` is one as well.
    """
    body = as_dict(payload)
    frame = _frame(body, delivery, slug=slug, own=[bare(owner_jid), bare(own_lid)])
    if not body:
        return [_unmapped(payload, frame, "the body is not an object")]
    if _is_other_dialect(body):
        return [_unmapped(payload, frame, "dialect of Evolution Go")]
    reader = READERS.get(frame.event)
    if reader is None:
        return [_unmapped(payload, frame, "unknown event")]
    drafts = map_each(_reading(reader, item, frame, path, index)
                      for index, (item, path) in enumerate(_items(body, frame.event)))
    return drafts or [_unmapped(payload, frame, "no items")]


def _reading(reader: Reader, item: Any, frame: Frame, path: str, index: int) -> Reading:
    unmapped = partial(_unmapped, item, frame, "unexpected shape", index=index)
    return lambda: reader(item, frame, path) or [unmapped()], unmapped


def _frame(body: dict[str, Any], delivery: Delivery, *, slug: str, own: list[str]) -> Frame:
    event = event_name(as_text(body.get("event")) or delivery.path.rpartition("/")[2])
    sender = bare(body.get("sender"))
    addresses = [jid for jid in (own[0], sender, own[1]) if jid]
    return Frame(
        event=event, instance=as_text(body.get("instance")), source=SOURCES.get(event, "live"),
        owner=addresses[0] if addresses else "", own=frozenset(addresses), scope=slug,
        sent=as_text(body.get("date_time")), received_at=delivery.received_at)


def _items(body: dict[str, Any], event: str) -> list[tuple[Any, str]]:
    """The items of `data` with their paths: one object, a list, or `data.messages[]`."""
    data, path = body.get("data"), "data"
    nested = as_dict(data).get("messages")
    if event.startswith("messages.") and isinstance(nested, list):
        data, path = nested, "data.messages"
    if isinstance(data, list):
        return [(item, f"{path}.{index}") for index, item in enumerate(data)]
    return [(data, path)]


def _is_other_dialect(body: dict[str, Any]) -> bool:
    """Evolution Go, a sister product, posts {event: "Message", data: {Info, Message}}."""
    return "Info" in as_dict(body.get("data"))


def _unmapped(content: Any, frame: Frame, reason: str, *, index: int = 0) -> EventDraft:
    return frame.draft(UNMAPPED, frame.loose_key(index, content), direction="inbound",
                       content={"reason": reason})
