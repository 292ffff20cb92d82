"""WhatsApp addresses (JIDs): what they name, and who is who in one message key.

One person has a phone address (@s.whatsapp.net) and a hidden one (@lid); servers report either, or
both, under field names that changed with the version.
"""

from dataclasses import dataclass, field
from typing import Any

from connections.envelope import Handle
from connections.providers.whatsapp_evolution.scalars import as_bool, as_dict, as_text

DOMAINS = {
    "s.whatsapp.net": "phone", "c.us": "phone", "hosted": "phone",
    "lid": "lid", "hosted.lid": "lid",
    "g.us": "group", "newsletter": "channel", "broadcast": "list",
}
CONVERSATION_KINDS = {"phone": "direct", "lid": "direct", "group": "group", "channel": "channel",
                      "list": "list", "bot": "direct"}
# Where the other address of the same person stands: 2.3.5 and later (`previousRemoteJid`: what the
# server had before it wrote the phone there), then 2.3.0 to 2.3.4. There, `sender*` of our own
# message and `recipient*` of theirs are ourselves.
_PEER = ("remoteJidAlt", "previousRemoteJid", "senderPn", "senderLid")
_PEER_OF_OWN = ("remoteJidAlt", "previousRemoteJid", "recipientPn", "recipientLid")
_AUTHOR = ("participantAlt", "participantPn", "participantLid", "senderPn", "senderLid")


def bare(value: Any) -> str:
    """The address without its device: `5511:12@s.whatsapp.net` is `5511@s.whatsapp.net`."""
    user, at, domain = as_text(value).strip().partition("@")
    return f"{user.partition(':')[0]}@{domain.lower()}" if at else user


def address_kind(jid: str) -> str:
    """phone, lid, group, channel, list, or the unknown domain itself; "" when there is none."""
    domain = jid.partition("@")[2]
    return DOMAINS.get(domain, domain)


def phone_of(jid: str) -> str:
    """E.164 with +, "" when the address is not a phone's."""
    user = jid.partition("@")[0]
    is_number = user.isascii() and user.isdigit() and 5 <= len(user) <= 15
    return f"+{user}" if is_number and address_kind(jid) == "phone" else ""


def handles(jids: list[str], *, scope: str) -> list[Handle]:
    """The names of one person. A LID is only known to be unique inside one account (`scope`)."""
    found = []
    for jid in dict.fromkeys(jid for jid in jids if jid):
        if phone := phone_of(jid):
            found.append(Handle("phone", phone))
        elif address_kind(jid) == "lid":
            found.append(Handle("lid", jid, scope))
        else:
            found.append(Handle("jid", jid))
    return found


def first_phone(jids: list[str]) -> str:
    return next((phone for phone in map(phone_of, jids) if phone), "")


@dataclass(slots=True)
class Place:
    """Where a message stands and whose it is, read from its key.

    peer: every address of the other side of a direct chat, the one as received first.
    author: every address of who wrote it; empty for the account's own messages.
    """

    chat: str
    kind: str
    from_me: bool
    peer: list[str] = field(default_factory=list)
    author: list[str] = field(default_factory=list)

    @property
    def aliases(self) -> list[str]:
        return self.peer[1:]


def pair(jid: str, other: str, *, own: frozenset[str]) -> list[str]:
    """The two addresses where they are the phone and the LID of somebody else, else `jid` alone."""
    wanted = {"phone": "lid", "lid": "phone"}.get(address_kind(jid))
    is_pair = address_kind(other) == wanted and not {jid, other} & own
    return [jid, other] if other and is_pair else [jid]


def is_surely_not_own(jid: str, own: frozenset[str]) -> bool:
    """Whether an address of this kind would be known if it were the account's."""
    return jid not in own and any(address_kind(one) == address_kind(jid) for one in own)


def chat_kind(chat: str, *, own: frozenset[str]) -> str:
    if chat in own:
        return "self"
    return CONVERSATION_KINDS.get(address_kind(chat), "")


def read_key(key: Any, *, own: frozenset[str]) -> Place:
    """The place a message key names. own: the account's own addresses."""
    key = as_dict(key)
    chat, from_me = bare(key.get("remoteJid")), as_bool(key.get("fromMe"))
    place = Place(chat=chat, kind=chat_kind(chat, own=own), from_me=from_me)
    participant = bare(key.get("participant"))
    if place.kind == "direct":
        place.peer = _same_person(chat, key, _PEER_OF_OWN if from_me else _PEER, own=own)
        place.author = [] if from_me else place.peer
    elif participant and not from_me:
        place.author = _same_person(participant, key, _AUTHOR, own=own)
    elif not from_me and place.kind == "channel":
        place.author = [chat]
    return place


def _same_person(jid: str, key: dict[str, Any], names: tuple[str, ...], *,
                 own: frozenset[str]) -> list[str]:
    """`jid` and its alternative: one address of the other kind, never one of our own."""
    for name in names:
        if name in key and len(found := pair(jid, bare(key[name]), own=own)) > 1:
            return found
    return [jid]
