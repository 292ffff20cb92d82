"""Which reader understands which body, and the bodies that need only a line."""

from collections.abc import Callable
from typing import Any

from connections.providers.whatsapp_evolution import cards, interactive
from connections.providers.whatsapp_evolution.body import Body
from connections.providers.whatsapp_evolution.media import MEDIA, read_media
from connections.providers.whatsapp_evolution.scalars import (
    as_count,
    as_dict,
    as_text,
    without_blanks,
)


def read_body(body: Body) -> dict[str, Any]:
    """The draft fields a body gives: event_type, text, content, attachments, relation and target.

    A body nobody reads becomes message.unsupported with its native name.
    """
    read = READERS.get(body.type)
    if read is not None:
        return read(body)
    return {"event_type": "message.unsupported",
            "content": {"unavailable": "unknown kind" if body.type else "no content",
                        **without_blanks({"native_type": body.type})}}


def read_text(body: Body) -> dict[str, Any]:
    node = body.fields
    text = as_text(body.node) or as_text(node.get("text"))
    link = without_blanks({"url": as_text(node.get("matchedText")),
                           "title": as_text(node.get("title")),
                           "description": as_text(node.get("description"))})
    return {"event_type": "message.text", "text": text,
            "content": {"link": link} if link.get("url") else {}}


def read_reaction(body: Body) -> dict[str, Any]:
    emoji = as_text(body.fields.get("text"))
    return {"event_type": "message.reaction" if emoji else "message.reaction_removed",
            "relation": "reacts_to", "target_message_id": _target(body, "key"),
            "content": {"reaction": {"emoji": emoji}}}


def read_pin(body: Body) -> dict[str, Any]:
    unpinned = as_text(body.fields.get("type")) in ("2", "UNPIN_FOR_ALL")
    return {"event_type": "message.unpinned" if unpinned else "message.pinned",
            "relation": "pins", "target_message_id": _target(body, "key")}


def read_kept(body: Body) -> dict[str, Any]:
    return {"event_type": "message.updated", "relation": "revises",
            "target_message_id": _target(body, "key"),
            "content": {"kept": as_text(body.fields.get("keepType"))}}


def read_comment(body: Body) -> dict[str, Any]:
    inner = as_dict(body.fields.get("message"))
    return {"event_type": "message.text", "text": as_text(inner.get("conversation")),
            "relation": "replies_to", "target_message_id": _target(body, "targetMessageKey")}


def read_album(body: Body) -> dict[str, Any]:
    album = {"images": as_count(body.fields.get("expectedImageCount")),
             "videos": as_count(body.fields.get("expectedVideoCount"))}
    return {"event_type": "message.system", "content": {"album": without_blanks(album)}}


def read_hidden(body: Body) -> dict[str, Any]:
    """Content that is kept from linked devices; nobody but the phone can show it."""
    return {"event_type": "message.encrypted", "content": without_blanks({
        "unavailable": "hidden from linked devices", "reason": as_text(body.fields.get("type"))})}


def read_ciphertext(body: Body) -> dict[str, Any]:
    """An effect whose content is encrypted again: what it is about is known, its text is not.

    Whether a reaction was put or taken back is in its content, so it stays message.encrypted.
    """
    event_type, relation, flags = CIPHERTEXTS[body.type]
    if event_type == "message.edited" and _secret(body) not in SECRET_EDITS:
        event_type, flags = "message.encrypted", {}
    return {"event_type": event_type, "relation": relation,
            "target_message_id": _target(body, "targetMessageKey", "eventCreationMessageKey"),
            "content": {"unavailable": "encrypted", "native_type": body.type, **flags}}


def _secret(body: Body) -> str:
    return as_text(body.fields.get("secretEncType")).upper()


def read_notice(body: Body) -> dict[str, Any]:
    return {"event_type": "message.system", "content": {"notice": body.type}}


def _target(body: Body, *names: str) -> str | None:
    """The id inside the first message key that has one."""
    ids = (as_text(as_dict(body.fields.get(name)).get("id")) for name in names)
    return next((found for found in ids if found), None)


CIPHERTEXTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "secretEncryptedMessage": ("message.edited", "replaces",
                               {"encrypted": True, "text_hidden": True}),
    "encReactionMessage": ("message.encrypted", "reacts_to", {}),
    "encCommentMessage": ("message.encrypted", "replies_to", {}),
    "encEventResponseMessage": ("calendar.reply", "answers", {"encrypted": True}),
}
# secretEncType that changes its target: an event, a text, a poll; absent in the oldest bodies.
SECRET_EDITS = frozenset({"", "1", "EVENT_EDIT", "2", "MESSAGE_EDIT", "4", "POLL_EDIT"})

READERS: dict[str, Callable[[Body], dict[str, Any]]] = {
    "conversation": read_text,
    "extendedTextMessage": read_text,
    "commentMessage": read_comment,
    **dict.fromkeys(MEDIA, read_media),
    "contactMessage": cards.read_contact,
    "contactsArrayMessage": cards.read_contact,
    "locationMessage": cards.read_location,
    "liveLocationMessage": cards.read_location,
    "reactionMessage": read_reaction,
    "pinInChatMessage": read_pin,
    "keepInChatMessage": read_kept,
    "pollCreationMessage": cards.read_poll,
    "pollCreationMessageV2": cards.read_poll,
    "pollCreationMessageV3": cards.read_poll,
    "pollCreationMessageV4": cards.read_poll,
    "pollCreationMessageV5": cards.read_poll,
    "pollUpdateMessage": cards.read_vote,
    "buttonsMessage": interactive.read_buttons,
    "listMessage": interactive.read_list,
    "templateMessage": interactive.read_template,
    "highlyStructuredMessage": interactive.read_template,
    "interactiveMessage": interactive.read_card,
    "buttonsResponseMessage": interactive.read_button_answer,
    "templateButtonReplyMessage": interactive.read_button_answer,
    "listResponseMessage": interactive.read_list_answer,
    "interactiveResponseMessage": interactive.read_flow_answer,
    "eventMessage": cards.read_calendar,
    "scheduledCallCreationMessage": cards.read_calendar,
    "orderMessage": cards.read_order,
    "productMessage": cards.read_product,
    "sendPaymentMessage": cards.read_payment,
    "requestPaymentMessage": cards.read_payment,
    "invoiceMessage": cards.read_payment,
    "groupInviteMessage": cards.read_invite,
    "newsletterAdminInviteMessage": cards.read_invite,
    "albumMessage": read_album,
    "placeholderMessage": read_hidden,
    **dict.fromkeys(CIPHERTEXTS, read_ciphertext),
    "callLogMesssage": read_notice,  # spelled like this by WhatsApp
    "requestPhoneNumberMessage": read_notice,
    "scheduledCallEditMessage": read_notice,
}
