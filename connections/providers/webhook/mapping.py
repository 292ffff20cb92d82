"""Any payload to drafts, by the instance's stored rules; without rules it is `webhook.received`."""

import re
from dataclasses import replace
from typing import Any

from connections.adapter import Delivery
from connections.envelope import (
    KIND_MAX_LENGTH,
    MESSAGE_KINDS,
    UNMAPPED,
    WORLD_KINDS,
    EventDraft,
    Handle,
    Place,
    is_kind,
)
from connections.items import Reading, map_each
from connections.providers.webhook import bodies, cloudevents, content, identity, times
from connections.providers.webhook.config import Rules, Settings
from connections.providers.webhook.paths import read
from connections.storable import storable_ref

RECEIVED = "webhook.received"
NO_RULES = Rules()
MAX_TEXT = 64 * 1024  # characters
MAX_NAME = 1_000  # characters of a type or a title
RELATIONS = {
    "message.edited": "replaces", "message.updated": "replaces", "message.deleted": "deletes",
    "message.pinned": "pins", "message.unpinned": "pins", "message.reaction": "reacts_to",
    "message.reaction_removed": "reacts_to", "poll.vote": "votes_on",
    "interaction.button": "answers", "interaction.select": "answers", "calendar.reply": "answers",
    **{f"message.{kind}": "replies_to" for kind in (
        "text", "image", "audio", "video", "document", "sticker", "location", "contact", "poll",
        "interactive", "system", "encrypted", "unsupported")},
}
STATUS = "message.status."
OUTGOING = frozenset(("out", "outbound", "outgoing", "sent", "from_me", "true", "1"))
INTERNAL = "internal"
_TYPE_HEADERS = ("x-event-type", "x-github-event", "x-gitlab-event", "x-event-key")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_WRITTEN_PHONE = re.compile(r"\+[\d\s().-]+", re.ASCII)
_NOT_NAME = re.compile(r"[^a-z0-9]+")


def to_drafts(payload: Any, delivery: Delivery, settings: Settings, *,
              slug: str = "") -> list[EventDraft]:
    """One draft per CloudEvent of a batch, else one draft for the delivery.

    payload: what `bodies.parse` made of the body. slug: the instance, the scope of its names.
    """
    rules = settings.mapping or NO_RULES
    if cloudevents.is_binary(delivery.headers):
        payload = cloudevents.from_headers(delivery.headers, payload)
    is_batch = bodies.media_type(delivery.content_type) == cloudevents.BATCH
    items = payload if is_batch and isinstance(payload, list) and payload else [payload]
    return map_each(_reading(item, delivery, settings, rules, index, slug)
                    for index, item in enumerate(items))


def _reading(item: Any, delivery: Delivery, settings: Settings, rules: Rules, index: int,
             slug: str) -> Reading:
    def read_item() -> list[EventDraft]:
        draft = _draft(item, delivery, settings, rules, index)
        _scope(draft, settings, slug)
        return [draft]

    def instead() -> EventDraft:
        return EventDraft(event_type=UNMAPPED, dedup_key=identity.key(
            None, "", delivery, index=index, dedup_minutes=settings.dedup_minutes))

    return read_item, instead


def _draft(item: Any, delivery: Delivery, settings: Settings, rules: Rules,
           index: int) -> EventDraft:
    envelope = item if cloudevents.is_event(item) else None

    def text_at(path: str) -> str:
        return _as_text(read(path, item, delivery.headers)) if path else ""

    def ref_at(path: str) -> str:
        return storable_ref(text_at(path))

    native = (text_at(rules.type) or (envelope or {}).get("type")
              or _usual_type(item, delivery))[:MAX_NAME]
    kind = _kind(native, rules)
    event_id, stored_id = text_at(rules.id), ref_at(rules.id)
    topic = _as_text((envelope or {}).get("subject"))
    message_id, stored_message_id = text_at(rules.message_id), ref_at(rules.message_id)
    if not message_id and kind in MESSAGE_KINDS:
        message_id, stored_message_id = event_id, stored_id
    draft = EventDraft(
        event_type=kind,
        dedup_key=(f"m:{message_id}" if kind in MESSAGE_KINDS and message_id
                   else identity.key(envelope, event_id, delivery, index=index,
                                     dedup_minutes=settings.dedup_minutes)),
        provider_event_type=native[:128],
        provider_message_id=stored_message_id or None,
        subject=(text_at(rules.subject) or topic)[:MAX_NAME] or None)
    if rules.text:
        draft.text = _as_text(read(rules.text, item, delivery.headers))[:MAX_TEXT] or None
    _place(draft, ref_at(rules.conversation) if rules.conversation else storable_ref(topic),
           text_at(rules.conversation_title)[:MAX_NAME])
    _person(draft, ref_at(rules.sender), text_at(rules.sender_name)[:MAX_NAME])
    _direct(draft, text_at(rules.direction).lower())
    _relate(draft, ref_at(rules.target))
    _date(draft, item, envelope, delivery, rules)
    _keep(draft, item, envelope, delivery)
    return draft


def _kind(native: str, rules: Rules) -> str:
    if rules.event_type:
        return rules.event_type
    if native in rules.types:
        return rules.types[native]
    return _custom(native) if rules.type and native else RECEIVED


def _custom(native: str) -> str:
    """`Order.Paid` -> `custom.order.paid`; more than three segments are joined by underscores."""
    names = [_NOT_NAME.sub("_", name).strip("_") for name in native.lower().split(".")]
    names = [name if name[0].isalpha() else f"x{name}" for name in names if name]
    kind = ".".join(["custom", *names[:2], "_".join(names[2:])]).rstrip(".")
    kind = kind[:KIND_MAX_LENGTH].rstrip("._")
    return kind if is_kind(kind) else RECEIVED


def _usual_type(item: Any, delivery: Delivery) -> str:
    """The native type where senders commonly write it: a header, or `type` beside `data`."""
    for name in _TYPE_HEADERS:
        if delivery.headers.get(name):
            return delivery.headers[name]
    if isinstance(item, dict):
        for name in ("type", "event", "event_type"):
            if isinstance(item.get(name), str):
                return item[name]
    return bodies.media_type(delivery.content_type)


def _place(draft: EventDraft, ref: str, title: str) -> None:
    draft.conversation_ref = ref
    draft.conversation_title = title or None


def _person(draft: EventDraft, ref: str, name: str) -> None:
    draft.sender_name = name
    draft.provider_actor_ref = ref
    if not ref:
        return
    kind = "phone" if _PHONE.fullmatch(ref) else "email" if "@" in ref else "id"
    draft.actor_handles = [Handle(kind, ref)]
    if kind != "id":
        draft.contact_handle = ref
    if not draft.conversation_ref and draft.event_type.startswith("message."):
        draft.conversation_ref, draft.conversation_kind = ref, "direct"


def _scope(draft: EventDraft, settings: Settings, slug: str) -> None:
    """Whoever posts here says who somebody is, and is believed for this instance only: an id is
    nobody's elsewhere, and a phone or mail counts elsewhere when the instance says it is proven.
    """
    draft.actor_handles = [
        handle if settings.trust_handles and handle.kind in WORLD_KINDS
        else replace(handle, scope=slug) for handle in draft.actor_handles]


def place_of(to: str, settings: Settings) -> Place:
    """A person's address is a direct chat, unless the rules read the place from elsewhere.

    A phone with its + is written without blanks and brackets; anything else is the target's own.
    """
    ref = to.strip()
    if _WRITTEN_PHONE.fullmatch(ref):
        digits = f"+{re.sub(r'[^0-9]', '', ref)}"
        ref = digits if _PHONE.fullmatch(digits) else ref
    is_person = _PHONE.fullmatch(ref) is not None or "@" in ref
    elsewhere = settings.mapping is None or settings.mapping.conversation
    return Place(ref, "direct" if is_person and not elsewhere else "")


def _direct(draft: EventDraft, word: str) -> None:
    if word in OUTGOING:
        draft.direction, draft.from_me = "outbound", True
    elif word == INTERNAL:
        draft.direction = INTERNAL


def _relate(draft: EventDraft, target: str) -> None:
    if draft.event_type.startswith(STATUS):
        draft.delivery_status = draft.event_type.removeprefix(STATUS)
        draft.relation = "status_of"
        draft.target_message_id = target or draft.provider_message_id
        draft.provider_message_id = None
    elif target:
        draft.target_message_id = target
        draft.relation = RELATIONS.get(draft.event_type, "derived_from")


def _date(draft: EventDraft, item: Any, envelope: dict[str, Any] | None, delivery: Delivery,
          rules: Rules) -> None:
    value = read(rules.time, item, delivery.headers) if rules.time else None
    if value is None and envelope:
        value = envelope.get("time")
    if value is None and "webhook-id" in delivery.headers and isinstance(item, dict):
        value = item.get("timestamp")
    if value is None:
        return
    found = times.moment(value, unit=rules.time_unit, zone_name=rules.time_zone)
    if found is None:
        draft.context.setdefault("flags", []).append("bad_time")
        return
    draft.occurred_at, draft.occurred_at_source = found, "provider"


def _keep(draft: EventDraft, item: Any, envelope: dict[str, Any] | None,
          delivery: Delivery) -> None:
    size = len(delivery.body)
    if envelope is None:
        is_query = not delivery.body.strip() and not cloudevents.is_binary(delivery.headers)
        draft.content = content.describe(
            item, size_bytes=size, content_type=delivery.content_type,
            is_form=is_query or bodies.is_form(delivery.content_type))
        if cloudevents.is_claimed(delivery.headers):
            draft.context.setdefault("flags", []).append("bad_cloudevent")
        return
    data: dict[str, Any] = {name: envelope[name] for name in ("data", "data_base64")
                            if name in envelope}
    draft.content = content.bounded(data, size_bytes=size)
    draft.provider_metadata = content.bounded(
        {name: value for name, value in envelope.items() if name not in data}, size_bytes=size)


def _as_text(value: Any) -> str:
    """An id, name or text as text; containers, null and the rest are nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
