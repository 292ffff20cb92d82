"""The neutral vocabulary: what every provider's payload becomes, and what it is asked to send.

Pure data, no Django: mappings can be run and tested on their own.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
KIND_PATTERN = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,3}$")
KIND_MAX_LENGTH = 64

_FAMILIES = {
    "message": "text image audio video document sticker location contact poll interactive system "
               "encrypted unsupported edited updated deleted pinned unpinned reaction "
               "reaction_removed status.accepted status.queued status.sent status.delivered "
               "status.read status.played status.failed status.canceled",
    "poll": "vote updated closed",
    "interaction": "button select command form shortcut query",
    "presence": "typing recording available unavailable",
    "conversation": "created updated deleted migrated read closed reopened assigned rated",
    "participant": "joined left updated",
    "contact": "created updated deleted blocked unblocked merged consent",
    "call": "offered accepted missed ended",
    "connection": "opened closed qr verified revoked limited degraded",
    "calendar": "event.created event.updated event.canceled reply",
    "ticket": "created updated deleted rated",
    "record": "created updated deleted merged linked",
    "social": "commented liked shared mentioned followed",
    "job": "queued started progress succeeded failed item_failed",
    "commerce": "order payment",
    "webhook": "received",
    "workflow": "failed",
    "event": "unmapped",
}
KINDS: tuple[str, ...] = tuple(
    f"{family}.{name}" for family, names in _FAMILIES.items() for name in names.split())
OPEN_FAMILIES = ("custom.", "system.")  # user mappings, and our own facts
MESSAGE_KINDS = frozenset(
    f"message.{name}" for name in ("text image audio video document sticker location contact poll "
                                   "interactive system encrypted unsupported").split())
UNMAPPED = "event.unmapped"

DIRECTIONS = ("inbound", "outbound", "internal")
SOURCES = ("live", "history", "api", "echo", "replay", "import")
RELATIONS = ("replies_to", "replaces", "deletes", "reacts_to", "votes_on", "answers", "status_of",
             "pins", "derived_from", "revises")
# An event with one of these is about a message and no message of its own. What the provider tells
# of a message (NEWS) belongs where that is, whatever address it came under. What somebody does to
# it (CHANGE) counts only where the message is: naming its id proves nothing. A reply, an answer
# and what was derived are messages of their own: they may stand elsewhere.
NEWS_RELATIONS = ("status_of", "revises")
CHANGE_RELATIONS = ("replaces", "deletes", "reacts_to", "votes_on", "pins")
EFFECT_RELATIONS = (*NEWS_RELATIONS, *CHANGE_RELATIONS)
TIME_SOURCES = ("provider", "derived", "received")
CONVERSATION_KINDS = ("direct", "group", "channel", "thread", "list", "ticket", "self")
DELIVERY_STATUSES = ("accepted", "queued", "sent", "delivered", "read", "played", "failed",
                     "canceled")


def is_kind(name: str) -> bool:
    """Whether `name` may be an event type: one of KINDS, or custom.* / system.* by the grammar."""
    if name in _KNOWN:
        return True
    return (name.startswith(OPEN_FAMILIES) and len(name) <= KIND_MAX_LENGTH
            and KIND_PATTERN.match(name) is not None)


_KNOWN = frozenset(KINDS)


@dataclass(slots=True)
class Attachment:
    """One file of a message; where its bytes can be had, not the bytes themselves.

    kind: image, audio, video, document or sticker. size_bytes, width, height: as the provider says.
    encryption: what the provider needs to open the file, native names.
    inline_path: dotted path in the payload where base64 bytes sit, None when there are none.
    """

    kind: str
    mime: str | None = None
    filename: str | None = None
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    sha256: str | None = None
    provider_media_id: str | None = None
    source_url: str | None = None
    url_expires_at: datetime | None = None
    auth_required: bool = False
    encryption: dict[str, Any] | None = None
    caption: str | None = None
    is_voice_note: bool = False
    is_animated: bool = False
    inline_path: str | None = None


WORLD_KINDS = ("phone", "email", "jid")


@dataclass(frozen=True, slots=True)
class Handle:
    """One name of a person at a provider. kind: phone, lid, jid, email, username, uuid, id.

    scope: the account or team the value is unique in. "" is for WORLD_KINDS, whose values name the
    same person everywhere; the store scopes other kinds by their instance.
    """

    kind: str
    value: str
    scope: str = ""


@dataclass(slots=True)
class EventDraft:
    """One event, normalized and not stored yet. Field names are the columns of `omni_events`.

    dedup_key: names the event within its instance (docs/event-model.md, "Keys").
    provider_message_id: names the message this event introduces, instance-unique.
    target_message_id: the message this event is about, by `relation`.
    conversation_*: where it happened; conversation_aliases are other refs of the same place,
    conversation_guesses may be some.
    places_together: refs of other direct conversations, each list being one place.
    people_together: handles of other people, each list being one person (members of a group).
    provider_actor_ref, actor_handles: who did it. contact_ref, contact_handles: the person on the
    other side, when that is somebody else than the actor (own messages in a direct chat).
    occurred_at: aware, UTC; None means "when it was received".
    """

    event_type: str
    dedup_key: str
    provider_event_type: str = ""
    direction: str = "inbound"
    source: str = "live"
    from_me: bool = False
    sender_is_bot: bool | None = None
    auto_generated: bool = False
    conversation_ref: str = ""
    conversation_kind: str = ""
    conversation_title: str | None = None
    conversation_aliases: list[str] = field(default_factory=list)
    conversation_guesses: list[str] = field(default_factory=list)
    places_together: list[list[str]] = field(default_factory=list)
    people_together: list[list[Handle]] = field(default_factory=list)
    thread_ref: str = ""
    provider_actor_ref: str = ""
    sender_name: str = ""
    actor_handles: list[Handle] = field(default_factory=list)
    contact_ref: str = ""
    contact_name: str = ""
    contact_handles: list[Handle] = field(default_factory=list)
    contact_handle: str = ""
    provider_message_id: str | None = None
    relation: str = ""
    target_message_id: str | None = None
    client_ref: str | None = None
    text: str | None = None
    subject: str | None = None
    media_kind: str | None = None
    is_forwarded: bool = False
    is_view_once: bool = False
    mentions_self: bool = False
    delivery_status: str | None = None
    error_code: str | None = None
    occurred_at: datetime | None = None
    occurred_at_source: str = ""
    provider_sequence: int | None = None
    content: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    provider_metadata: dict[str, Any] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    raw_index: int = 0
    normalizer: str = ""

    def fingerprint(self) -> str:
        """16 hex digits of what was said, so that one key with two contents is noticed.

        Leaves out times, names and transport facts: a redelivery may differ in those.
        """
        said = [self.event_type, self.text, self.subject, self.relation, self.target_message_id,
                self.delivery_status if self.relation == "status_of" else None, self.content,
                [(a.kind, a.mime, a.sha256 or a.provider_media_id, a.filename, a.size_bytes)
                 for a in self.attachments]]
        text = json.dumps(said, sort_keys=True, default=str, ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def moment_of(draft: EventDraft, *, received_at: datetime) -> tuple[datetime, str]:
    """When the event counts as having happened, and who says so: one of TIME_SOURCES.

    A draft without a time, or with one no clock can have, happened when it was received.
    """
    occurred = draft.occurred_at
    if occurred is None or not _EARLIEST <= occurred <= _LATEST:
        return received_at, "received"
    return occurred, draft.occurred_at_source or "provider"


DRAFT_FIELDS = tuple(f.name for f in fields(EventDraft))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message may go: what an address somebody wrote means at a provider.

    ref: the one spelling of it, as the mapping would write it. kind: one of CONVERSATION_KINDS, ""
    when the address does not say. aliases: other refs of the same place. fault: why it cannot be
    an address, for people; "" when nothing speaks against it.
    """

    ref: str
    kind: str = ""
    aliases: tuple[str, ...] = ()
    fault: str = ""


@dataclass(slots=True)
class OutboundMessage:
    """What an adapter is asked to send, in neutral words.

    kind: text, image, audio, video, document, sticker, location, contact, poll, reaction,
    presence, read, edit or delete. to: conversation ref or handle, as the provider knows it.
    client_ref: our own reference, stable over attempts; passed on where the provider takes one.
    target_message_id: the message a reaction, edit, deletion, read mark or quote is about;
    target_from_me: whether that message was ours. mentions: handles to mention.
    media: {"url" | "base64", "mime", "filename", "voice": bool}.
    content: by kind: location {latitude, longitude, name, address}; contact {contacts: [{full_name,
    phone, organization, email, url}]}; poll {name, options, selectable}; reaction {emoji, ""
    removes}; presence {state: typing|recording|paused, seconds}.
    """

    kind: str
    to: str
    client_ref: str = ""
    text: str | None = None
    quote: bool = False
    target_message_id: str | None = None
    target_from_me: bool = False
    mentions: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    media: dict[str, Any] | None = None
    content: dict[str, Any] = field(default_factory=dict)
    thread_ref: str = ""


@dataclass(slots=True)
class SendResult:
    """What came of a send. status: succeeded, rejected, not_sent or unknown.

    provider_message_id: instance-unique, as the mapping would write it. error: for people.
    retry_after: seconds. retryable: nothing happened, and it may be asked for again (of an
    unknown one `Adapter.honours_keys` says that). answer: native facts worth keeping, without
    secrets.
    conversation_ref: the place as the provider names it in its answer, as the mapping would write
    it, where that can be another name of where the message was sent to.
    """

    status: str
    provider_message_id: str | None = None
    error: str = ""
    error_code: str = ""
    retry_after: float | None = None
    retryable: bool = False
    answer: dict[str, Any] = field(default_factory=dict)
    conversation_ref: str = ""

    @classmethod
    def rate_limited(cls, error: str, *, retry_after: float | None,
                     answer: dict[str, Any] | None = None) -> "SendResult":
        """Refused for now: the same send may be made again after `retry_after` seconds."""
        return cls("rejected", error=error, error_code="rate_limited", retry_after=retry_after,
                   retryable=True, answer=answer or {})
