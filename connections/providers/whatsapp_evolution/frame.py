"""What all items of one body share, and how an event without an id of its own gets a key."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connections.envelope import EventDraft
from connections.names import is_oneself
from connections.providers.whatsapp_evolution.identity import Place, first_phone, handles
from connections.providers.whatsapp_evolution.scalars import without_blanks

BUCKET_SECONDS = 1200  # the sender gives up after about 1215 s of retries
NATIVE_TYPE_LENGTH = 128


def digest(*parts: Any) -> str:
    """24 hex digits that name `parts`."""
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Frame:
    """The envelope of one body.

    event: documented dotted name. source: live, history or echo. owner: the account's own address,
    own: all of them; both may be empty. scope: the account a LID is unique in.
    sent: the envelope's own time as text, equal over the retries of one delivery. It is local time
    labelled as UTC, so it tells deliveries apart and is never used as a time.
    """

    event: str
    instance: str = ""
    source: str = "live"
    owner: str = ""
    own: frozenset[str] = field(default_factory=frozenset)
    scope: str = ""
    sent: str = ""
    received_at: datetime | None = None

    def loose_key(self, *parts: Any, at: datetime | None = None) -> str:
        """A key for an event without an id: what happened, and when.

        The time is the event's own, else the envelope's, else the receipt's in steps of the
        sender's retry window.
        """
        return "h:" + digest(self.event, *parts, self.time_mark(at))

    def time_mark(self, at: datetime | None = None) -> str:
        if at is not None:
            return at.isoformat()
        if self.sent:
            return self.sent
        if self.received_at is None:
            return ""
        return f"bucket {int(self.received_at.timestamp() // BUCKET_SECONDS)}"

    def draft(self, event_type: str, dedup_key: str, *, native: str = "",
              at: datetime | None = None, metadata: dict[str, Any] | None = None,
              **fields: Any) -> EventDraft:
        """A draft with the facts of the envelope. native: second part of the native type."""
        name = f"{self.event}/{native}" if native else self.event
        return EventDraft(
            event_type=event_type, dedup_key=dedup_key,
            provider_event_type=name[:NATIVE_TYPE_LENGTH], source=self.source,
            occurred_at=at, occurred_at_source="provider" if at else "received",
            provider_metadata=without_blanks({"instance": self.instance, **(metadata or {})}),
            **fields)

    def people(self, place: Place, *, name: str = "") -> dict[str, Any]:
        """The draft fields that say where it happened and who did it.

        name: the name shown with the message, always its author's. On the account's own messages
        the server puts a word for oneself where it knows none ("Você"), which is no name.
        """
        if place.from_me and is_oneself(name):
            name = ""
        counterpart = place.peer or place.author
        is_other = place.from_me and bool(place.peer)
        actor = [self.owner, *sorted(self.own)] if place.from_me else place.author
        elsewhere = place.author if len(place.author) > 1 and not place.peer else []
        return {
            "direction": "outbound" if place.from_me else "inbound",
            "from_me": place.from_me,
            "conversation_ref": place.chat,
            "conversation_kind": place.kind,
            "conversation_aliases": place.aliases,
            "places_together": [elsewhere] if elsewhere else [],
            "provider_actor_ref": actor[0] if actor else "",
            "actor_handles": handles(actor, scope=self.scope),
            "sender_name": name,
            "contact_ref": place.peer[0] if is_other else "",
            "contact_handles": handles(place.peer, scope=self.scope) if is_other else [],
            "contact_handle": first_phone(counterpart),
        }

    def happening(self, place: Place) -> dict[str, Any]:
        """As `people`, for what is told about a message and is nobody's own.

        The key says who wrote that message (`fromMe`), not who counted, voted or changed it.
        """
        return self.people(place) | {"direction": "internal", "from_me": False,
                                     "provider_actor_ref": "", "actor_handles": []}

    def person(self, jids: list[str], *, name: str = "") -> dict[str, Any]:
        """The contact fields of somebody an event is about."""
        return {
            "contact_ref": jids[0] if jids else "",
            "contact_name": name,
            "contact_handles": handles(jids, scope=self.scope),
            "contact_handle": first_phone(jids),
        }
