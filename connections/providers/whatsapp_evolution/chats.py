"""Address book and chat list: contacts, chats, groups and their members, labels."""

from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import (
    address_kind,
    bare,
    chat_kind,
    handles,
    pair,
    phone_of,
)
from connections.providers.whatsapp_evolution.scalars import (
    as_bool,
    as_count,
    as_dict,
    as_list,
    as_moment,
    as_text,
    without_blanks,
)

NEW_GROUP_SECONDS = 1200
# event -> (kind for a person, kind for any other address)
CONTACT_KINDS = {"contacts.set": ("contact.created", "conversation.created"),
                 "contacts.upsert": ("contact.created", "conversation.updated"),
                 "contacts.update": ("contact.updated", "conversation.updated")}
CHAT_KINDS = {"chats.set": "conversation.created", "chats.upsert": "conversation.created",
              "chats.update": "conversation.updated", "chats.delete": "conversation.deleted"}
# What happened to a member -> (kind, role afterwards)
MEMBER_KINDS = {"add": ("participant.joined", ""), "remove": ("participant.left", ""),
                "promote": ("participant.updated", "admin"),
                "demote": ("participant.updated", "member")}
GROUP_CHANGES = {"subject": "title", "desc": "description", "announce": "announce_only",
                 "restrict": "admins_edit_only", "ephemeralDuration": "ephemeral_seconds",
                 "joinApprovalMode": "join_approval", "memberAddMode": "members_can_add",
                 "linkedParent": "community", "inviteLink": "invite_link_reset"}


def read_contact(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    entry = as_dict(item)
    jid = bare(entry.get("remoteJid") or entry.get("id"))
    if not jid:
        return []
    others = [bare(entry.get(name)) for name in ("lid", "jid", "phoneNumber", "remoteJidAlt")]
    name = next((as_text(entry[field]) for field in ("name", "pushName", "notify", "verifiedName")
                 if as_text(entry.get(field))), "")
    picture = as_text(entry.get("profilePicUrl")) or as_text(entry.get("profilePictureUrl"))
    is_person = address_kind(jid) in ("phone", "lid", "")
    person_kind, chat_event = CONTACT_KINDS[frame.event]
    content = without_blanks({"name": name, "picture_url": picture})
    if is_person:
        person = next((found for other in others
                       if len(found := pair(jid, other, own=frame.own)) > 1), [jid])
        return [frame.draft(
            person_kind, frame.loose_key(jid, name, picture), direction="internal",
            content=content, **frame.person(person, name=name), **_together([person], frame))]
    return [frame.draft(chat_event, frame.loose_key(jid, name, picture),
                        direction="internal", conversation_title=name or None,
                        content=content, **_chat(jid, frame))]


def _together(people: list[list[str]], frame: Frame) -> dict[str, Any]:
    """The draft fields that say which addresses are one person, for those with two."""
    pairs = [jids for jids in people if len(jids) > 1]
    return {"places_together": pairs,
            "people_together": [handles(jids, scope=frame.scope) for jids in pairs]}


def _chat(jid: str, frame: Frame) -> dict[str, Any]:
    """The draft fields of an event about a chat as a whole."""
    kind = chat_kind(jid, own=frame.own)
    other = frame.person([jid]) if kind == "direct" else {}
    return {"conversation_ref": jid, "conversation_kind": kind, **other}


def read_chat(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """One chat of chats.*; chats.delete gives bare addresses."""
    entry = as_dict(item)
    jid = bare(item if isinstance(item, str) else entry.get("remoteJid") or entry.get("id"))
    if not jid:
        return []
    name = as_text(entry.get("name")) or as_text(entry.get("subject"))
    changes = without_blanks({
        "title": name,
        "unread": as_count(entry.get("unreadMessages", entry.get("unreadCount"))),
        "archived": entry.get("archived", entry.get("archive")) if isinstance(
            entry.get("archived", entry.get("archive")), bool) else None,
    })
    return [frame.draft(
        CHAT_KINDS[frame.event], frame.loose_key(jid, changes), direction="internal",
        conversation_title=name or None, content={"changes": changes} if changes else {},
        **_chat(jid, frame))]


def read_group(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """Group metadata. groups.upsert also comes when members change: only a young group is new."""
    entry = as_dict(item)
    jid = bare(entry.get("id") or entry.get("remoteJid"))
    if not jid:
        return []
    changes = without_blanks({
        **{neutral: _plain(entry.get(native)) for native, neutral in GROUP_CHANGES.items()},
        "owner": bare(entry.get("ownerJid")) or bare(entry.get("ownerPn")) or bare(
            entry.get("owner")),
        "participants": [_member(one) for one in as_list(entry.get("participants"))],
    })
    author = [bare(entry.get(name)) for name in ("author", "authorPn")]
    people = [_person(one, frame) for one in as_list(entry.get("participants"))]
    people += [pair(bare(entry.get(one)), bare(entry.get(f"{one}Pn")), own=frame.own)
               for one in ("author", "owner", "subjectOwner", "descOwner")]
    return [frame.draft(
        _group_kind(entry, frame), frame.loose_key(jid, author, changes),
        conversation_title=as_text(entry.get("subject")) or None,
        content={"changes": changes} if changes else {}, **_together(people, frame),
        **_actor([one for one in author if one], frame), **_chat(jid, frame))]


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | str) else as_count(value)


def _group_kind(entry: dict[str, Any], frame: Frame) -> str:
    created, received = as_moment(entry.get("creation")), frame.received_at
    if frame.event != "groups.upsert" or created is None or received is None:
        return "conversation.updated"
    is_young = abs((received - created).total_seconds()) < NEW_GROUP_SECONDS
    return "conversation.created" if is_young else "conversation.updated"


def _actor(jids: list[str], frame: Frame) -> dict[str, Any]:
    """The draft fields of who did it, our own account included."""
    from_me = any(jid in frame.own for jid in jids)
    return {"provider_actor_ref": jids[0] if jids else "",
            "actor_handles": handles(jids, scope=frame.scope),
            "from_me": from_me, "direction": "outbound" if from_me else "inbound"}


def _member_jids(value: Any) -> list[str]:
    """Every address of a member: text, or an object whose phone field differs by version."""
    entry = as_dict(value)
    found = [bare(value if isinstance(value, str) else entry.get("id")),
             *(bare(entry.get(name)) for name in ("jid", "phoneNumber", "lid"))]
    return list(dict.fromkeys(jid for jid in found if jid))


def _pair_of(jids: list[str], frame: Frame) -> list[str]:
    return pair(jids[0], jids[1], own=frame.own) if len(jids) > 1 else jids


def _person(value: Any, frame: Frame, *, beside: str = "") -> list[str]:
    """The addresses of a member, the one as received first. beside: one that stands elsewhere.

    Two of them only where they are the phone and the LID of somebody else than the account.
    """
    jids = _member_jids(value)
    if not jids:
        return []
    return next((found for other in (*jids[1:], beside)
                 if len(found := pair(jids[0], other, own=frame.own)) > 1), jids[:1])


def _member(value: Any) -> dict[str, Any]:
    jids = _member_jids(value)
    phone = next((phone for phone in map(phone_of, jids) if phone), "")
    return without_blanks({"ref": jids[0] if jids else "", "phone": phone,
                           "role": as_text(as_dict(value).get("admin"))})


def read_members(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """group-participants.update: one draft per member. Who leaves is its own author."""
    entry = as_dict(item)
    group, action = bare(entry.get("id")), as_text(entry.get("action")).lower()
    if not group:
        return []
    kind, role = MEMBER_KINDS.get(action, ("participant.updated", ""))
    names = {bare(data.get("jid")): as_text(data.get("name"))
             for data in map(as_dict, as_list(entry.get("participantsData")))}
    phones = {bare(data.get("jid")): bare(data.get("phoneNumber"))
              for data in map(as_dict, as_list(entry.get("participantsData")))}
    author = [jid for jid in (bare(entry.get("author")), bare(entry.get("authorPn"))) if jid]
    drafts = []
    for one in as_list(entry.get("participants")):
        if not _member_jids(one):
            continue
        member = _person(one, frame, beside=phones.get(_member_jids(one)[0], ""))
        by = member if author and author[0] in member else author
        drafts.append(frame.draft(
            kind, frame.loose_key(group, author, member[0], action), native=action,
            conversation_ref=group,
            conversation_kind=chat_kind(group, own=frame.own),
            content=without_blanks({"participant": member[0], "action": action, "role": role}),
            **_actor(by, frame), **frame.person(member, name=names.get(member[0], "")),
            **_together([member, _pair_of(author, frame)], frame)))
    return drafts


def read_label(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """labels.edit: the definition of a label, which no conversation is part of."""
    entry = as_dict(item)
    label = without_blanks({"id": as_text(entry.get("id")), "name": as_text(entry.get("name")),
                            "color": as_count(entry.get("color"))})
    if not label.get("id"):
        return []
    deleted = as_bool(entry.get("deleted"))
    return [frame.draft(
        "record.deleted" if deleted else "record.updated", frame.loose_key(label, deleted),
        direction="internal", content={"record": {"type": "label", **label}})]


def read_label_use(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """labels.association: a label put on a chat or taken off; only its id is told."""
    entry = as_dict(item)
    jid, label = bare(entry.get("chatId")), as_text(entry.get("labelId"))
    if not jid or not label:
        return []
    action = {"add": "added", "remove": "removed"}.get(as_text(entry.get("type")), "set")
    return [frame.draft(
        "conversation.updated", frame.loose_key(jid, label, action), native=action,
        direction="internal", content={"label": {"id": label, "action": action}},
        **_chat(jid, frame))]
