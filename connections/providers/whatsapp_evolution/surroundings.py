"""What stands around a message: the quoted one, mentions, forwarding, timers, the ad it came from.

The same `contextInfo` object stands inside the body, beside it, or in both, by server version.
"""

from typing import Any

from connections.providers.whatsapp_evolution.bodies import read_body
from connections.providers.whatsapp_evolution.body import Body, open_body
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import bare
from connections.providers.whatsapp_evolution.scalars import (
    as_bool,
    as_count,
    as_dict,
    as_list,
    as_text,
    without_blanks,
)

PREVIEW_LENGTH = 300


def context_info(item: dict[str, Any], body: Body) -> dict[str, Any]:
    return as_dict(body.fields.get("contextInfo")) or as_dict(item.get("contextInfo"))


def read_surroundings(info: dict[str, Any], body: Body, *, frame: Frame) -> dict[str, Any]:
    """Draft fields of a message's surroundings: context, flags, and what it replies to."""
    if not info:
        return {"context": without_blanks({"album": _album(body)})}
    mentions = _jids(info.get("mentionedJid"))
    target = as_text(info.get("stanzaId"))
    fields: dict[str, Any] = {
        "is_forwarded": as_bool(info.get("isForwarded")) or bool(as_count(
            info.get("forwardingScore"))),
        "mentions_self": any(jid in frame.own for jid in mentions),
        "context": without_blanks({
            "mentions": mentions,
            "mentions_everyone": as_bool(info.get("nonJidMentions")) or None,
            "mentioned_groups": _jids(info.get("groupMentions")),
            "quoted": _quoted(info, frame=frame),
            "forward": _forward(info),
            "referral": _referral(info),
            "ephemeral_seconds": as_count(info.get("expiration")) or None,
            "album": _album(body),
        }),
    }
    if target:
        fields |= {"relation": "replies_to", "target_message_id": target}
    return fields


def _jids(value: Any) -> list[str]:
    found = [bare(as_dict(one).get("groupJid") or one) for one in as_list(value)]
    return [jid for jid in found if jid]


def _quoted(info: dict[str, Any], *, frame: Frame) -> dict[str, Any]:
    """A short preview of the quoted message; never its media."""
    if not as_text(info.get("stanzaId")):
        return {}
    body = open_body(info.get("quotedMessage"))
    read = read_body(body) if body.type else {}
    author = bare(info.get("participant"))
    return without_blanks({
        "message_id": as_text(info.get("stanzaId")),
        "author": author,
        "from_me": True if author and author in frame.own else None,
        "kind": read.get("event_type"),
        "text": (read.get("text") or "")[:PREVIEW_LENGTH],
        "is_story": True if bare(info.get("remoteJid")) == "status@broadcast" else None,
    })


def _forward(info: dict[str, Any]) -> dict[str, Any]:
    newsletter = as_dict(info.get("forwardedNewsletterMessageInfo"))
    return without_blanks({
        "score": as_count(info.get("forwardingScore")) or None,
        "channel": bare(newsletter.get("newsletterJid")),
        "channel_name": as_text(newsletter.get("newsletterName")),
    })


def _referral(info: dict[str, Any]) -> dict[str, Any]:
    """The ad or page a conversation was started from (click-to-WhatsApp leads)."""
    ad = as_dict(info.get("externalAdReply"))
    return without_blanks({
        "title": as_text(ad.get("title")),
        "body": as_text(ad.get("body")),
        "source_type": as_text(ad.get("sourceType")),
        "source_id": as_text(ad.get("sourceId")),
        "source_url": as_text(ad.get("sourceUrl")),
        "click_id": as_text(ad.get("ctwaClid")),
    })


def _album(body: Body) -> str:
    """The id of the album this file belongs to."""
    association = as_dict(body.meta.get("messageAssociation"))
    return as_text(as_dict(association.get("parentMessageKey")).get("id"))
