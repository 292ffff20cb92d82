"""Things that pass: who is typing, calls, and what the bot builder beside the server does."""

from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import (
    bare,
    chat_kind,
    handles,
    is_surely_not_own,
    pair,
)
from connections.providers.whatsapp_evolution.scalars import (
    as_bool,
    as_dict,
    as_moment,
    as_text,
    without_blanks,
)

PRESENCES = {"composing": "presence.typing", "recording": "presence.recording",
             "paused": "presence.available", "available": "presence.available",
             "unavailable": "presence.unavailable"}
CALLS = {"offer": "call.offered", "ringing": "call.offered", "preaccept": "call.offered",
         "accept": "call.accepted", "reject": "call.missed", "timeout": "call.missed",
         "terminate": "call.ended"}
BOT_STATES = {"opened": "job.started", "paused": "job.progress", "closed": "job.succeeded",
              "delete": "job.succeeded"}


def read_presence(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One draft per person; a group names the member inside `presences`."""
    entry = as_dict(item)
    chat = bare(entry.get("id"))
    drafts = []
    for who, told in as_dict(entry.get("presences")).items():
        state = as_text(as_dict(told).get("lastKnownPresence"))
        kind = PRESENCES.get(state)
        if kind is None:
            continue
        jid, seen = bare(who), as_moment(as_dict(told).get("lastSeen"))
        kind_of_chat = chat_kind(chat, own=frame.own)
        names = pair(chat, jid, own=frame.own) if (
            kind_of_chat == "direct" and is_surely_not_own(jid, frame.own)) else [chat]
        person = frame.person([jid, chat] if jid in names[1:] else [jid])
        drafts.append(frame.draft(
            kind, frame.loose_key(chat, jid, state), native=state, direction="inbound",
            conversation_ref=chat, conversation_kind=kind_of_chat, conversation_aliases=names[1:],
            from_me=jid in frame.own, provider_actor_ref=jid,
            actor_handles=person["contact_handles"], contact_handle=person["contact_handle"],
            content=without_blanks({"state": state,
                                    "last_seen": seen.isoformat() if seen else None})))
    return drafts


def read_call(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One step of a call. Its id stays the same; ringing repeats the offer, so both share a key."""
    entry = as_dict(item)
    status, call = as_text(entry.get("status")).lower(), as_text(entry.get("id"))
    kind = CALLS.get(status)
    if kind is None or not call:
        return []
    caller = bare(entry.get("from"))
    chat = bare(entry.get("groupJid")) or bare(entry.get("chatId")) or caller
    other = bare(entry.get("callerPn")) or bare(entry.get("callerLid"))
    from_me, kind_of_chat = caller in frame.own, chat_kind(chat, own=frame.own)
    names = [caller] if from_me else pair(caller, other, own=frame.own)
    person = frame.person([jid for jid in names if jid])
    is_theirs = kind_of_chat == "direct" and not from_me and not as_bool(entry.get("isGroup"))
    return [frame.draft(
        kind, f"c:{call}:{kind}", native=status, at=as_moment(entry.get("date")),
        direction="outbound" if from_me else "inbound", from_me=from_me,
        conversation_ref=chat, conversation_kind=kind_of_chat,
        conversation_aliases=[jid for jid in dict.fromkeys(names) if jid and jid != chat]
        if is_theirs else [],
        provider_actor_ref=caller, actor_handles=person["contact_handles"],
        contact_handle=person["contact_handle"],
        content={"call": {"id": call, "video": as_bool(entry.get("isVideo")),
                          "group": as_bool(entry.get("isGroup"))}},
        metadata={"offline": True if as_bool(entry.get("offline")) else None})]


def read_bot(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """A flow of the server's own bot builder starts, pauses or ends in a chat."""
    entry = as_dict(item)
    chat = bare(entry.get("remoteJid"))
    if not chat:
        return []
    status = as_text(entry.get("status")).lower()
    kind = BOT_STATES.get(status, "job.progress") if status else "job.started"
    job = without_blanks({"type": "typebot", "name": as_text(entry.get("typebot")),
                          "status": status})
    return [frame.draft(
        kind, frame.loose_key(chat, job), native=status, direction="internal",
        conversation_ref=chat, conversation_kind=chat_kind(chat, own=frame.own),
        contact_handles=handles([chat], scope=frame.scope), content={"job": job})]
