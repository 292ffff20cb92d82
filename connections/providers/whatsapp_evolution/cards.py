"""Messages that carry structured data: people, places, polls, dates, orders, invitations."""

from decimal import Decimal
from typing import Any

from connections.providers.whatsapp_evolution.body import Body
from connections.providers.whatsapp_evolution.identity import bare
from connections.providers.whatsapp_evolution.scalars import (
    as_bool,
    as_count,
    as_dict,
    as_int,
    as_list,
    as_moment,
    as_number,
    as_text,
    without_blanks,
)
from connections.providers.whatsapp_evolution.vcard import read_vcard


def read_contact(body: Body) -> dict[str, Any]:
    node = body.fields
    cards = as_list(node.get("contacts")) if body.type == "contactsArrayMessage" else [node]
    people = [_person(as_dict(card)) for card in cards]
    names = [person["full_name"] for person in people if person.get("full_name")]
    return {"event_type": "message.contact", "text": ", ".join(names) or None,
            "content": {"contacts": people}}


def _person(card: dict[str, Any]) -> dict[str, Any]:
    """A shared contact as {full_name, phones, emails, organization, url}."""
    person = read_vcard(as_text(card.get("vcard")))
    name = as_text(card.get("displayName")) or person.get("full_name", "")
    return without_blanks({**person, "full_name": name})


def read_location(body: Body) -> dict[str, Any]:
    node = body.fields
    place = _place(node)
    if body.type == "liveLocationMessage":
        place |= {"live": True, "sequence": as_int(node.get("sequenceNumber"))}
    text = as_text(node.get("caption")) or as_text(node.get("comment")) or place.get("name")
    return {"event_type": "message.location", "text": text or None,
            "content": {"location": without_blanks(place)}}


def _place(node: dict[str, Any]) -> dict[str, Any]:
    return without_blanks({
        "latitude": as_number(node.get("degreesLatitude")),
        "longitude": as_number(node.get("degreesLongitude")),
        "name": as_text(node.get("name")),
        "address": as_text(node.get("address")),
        "url": as_text(node.get("url")),
        "accuracy_m": as_number(node.get("accuracyInMeters")),
    })


def read_poll(body: Body) -> dict[str, Any]:
    node = body.fields
    options = [as_text(as_dict(option).get("optionName") or option)
               for option in as_list(node.get("options"))]
    poll = {"name": as_text(node.get("name")), "options": options,
            "selectable": as_count(node.get("selectableOptionsCount"))}
    return {"event_type": "message.poll", "text": poll["name"] or None,
            "content": {"poll": without_blanks(poll)}}


def read_vote(body: Body) -> dict[str, Any]:
    """A vote. The choice is encrypted, except from servers that already opened it."""
    node = body.fields
    vote = as_dict(node.get("vote"))
    chosen = vote.get("selectedOptions")
    content: dict[str, Any] = {"option_ids": [as_text(one) for one in as_list(chosen)],
                               "action": "set"}
    if not isinstance(chosen, list):
        content["encrypted"] = True
    return {"event_type": "poll.vote", "relation": "votes_on", "content": content,
            "target_message_id": as_text(as_dict(node.get("pollCreationMessageKey")).get("id"))}


def read_calendar(body: Body) -> dict[str, Any]:
    node = body.fields
    start, end = as_moment(node.get("startTime")), as_moment(node.get("endTime"))
    name = as_text(node.get("name")) or as_text(node.get("title"))
    canceled = as_bool(node.get("isCanceled"))
    event = without_blanks({
        "title": name,
        "description": as_text(node.get("description")),
        "starts_at": start.isoformat() if start else None,
        "ends_at": end.isoformat() if end else None,
        "location": _place(as_dict(node.get("location"))),
        "join_url": as_text(node.get("joinLink")),
    })
    return {"event_type": "calendar.event.canceled" if canceled else "calendar.event.created",
            "subject": name or None, "text": event.get("description") or name or None,
            "content": {"event": event}}


def read_order(body: Body) -> dict[str, Any]:
    """An order from the catalog. Its token opens the order, so it is left out."""
    node = body.fields
    order = without_blanks({
        "id": as_text(node.get("orderId")),
        "title": as_text(node.get("orderTitle")),
        "item_count": as_count(node.get("itemCount")),
        "total": _amount(node.get("totalAmount1000")),
        "currency": as_text(node.get("totalCurrencyCode")),
    })
    return {"event_type": "commerce.order", "content": {"order": order},
            "text": as_text(node.get("message")) or order.get("title")}


def read_payment(body: Body) -> dict[str, Any]:
    node = body.fields
    note = as_dict(node.get("noteMessage"))
    text = as_text(as_dict(note.get("extendedTextMessage")).get("text"))
    payment = without_blanks({
        "form": body.type,
        "amount": _amount(node.get("amount1000")),
        "currency": as_text(node.get("currencyCodeIso4217")),
    })
    return {"event_type": "commerce.payment", "content": {"payment": payment},
            "text": text or as_text(note.get("conversation")) or as_text(node.get("note")) or None}


def read_product(body: Body) -> dict[str, Any]:
    product = as_dict(body.fields.get("product"))
    facts = without_blanks({
        "id": as_text(product.get("productId")),
        "title": as_text(product.get("title")),
        "description": as_text(product.get("description")),
        "price": _amount(product.get("priceAmount1000")),
        "currency": as_text(product.get("currencyCode")),
        "url": as_text(product.get("url")),
        "owner": bare(body.fields.get("businessOwnerJid")),
    })
    return {"event_type": "message.interactive", "text": facts.get("title"),
            "content": {"interactive": {"form": "product"}, "product": facts}}


def read_invite(body: Body) -> dict[str, Any]:
    """An invitation to a group. Its code is a credential, so it is left out."""
    node = body.fields
    expires = as_moment(node.get("inviteExpiration"))
    invite = without_blanks({
        "conversation": bare(node.get("groupJid") or node.get("newsletterJid")),
        "title": as_text(node.get("groupName")) or as_text(node.get("newsletterName")),
        "expires_at": expires.isoformat() if expires else None,
    })
    return {"event_type": "message.interactive",
            "text": as_text(node.get("caption")) or invite.get("title"),
            "content": {"interactive": {"form": "invite"}, "invite": invite}}


def _amount(value: Any) -> str | None:
    """Thousandths as a decimal amount in text."""
    number = as_int(value)
    return None if number is None else f"{Decimal(number) / 1000:.2f}"
