"""The contract between Omni and one provider. Adding a provider is adding one folder.

A folder `connections/providers/<name>/` holds `adapter.py` with one subclass of `Adapter`,
`mapping.py` (payload to drafts: pure, replayable) and, where it calls out, `client.py`.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from connections.charsets import declared
from connections.envelope import (
    Attachment,
    EventDraft,
    Handle,
    OutboundMessage,
    Place,
    SendResult,
)
from connections.guests import Guest
from connections.moved import Addresses
from connections.payload import Parsed, parse_json
from omni.errors import Unavailable


class Config(BaseModel):
    """Base of every provider's settings and credentials models: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


# json_schema_extra of a setting that concerns other accounts too (`Instance.reach`).
CONCERNS_OTHERS: dict[str, Any] = {"concerns_others": True}


@dataclass(frozen=True, slots=True)
class Account:
    """The part of a configured instance an adapter may see: plain data, no database.

    settings, credentials: validated models of the adapter's `Settings` and `Credentials`.
    """

    slug: str
    provider: str
    settings: Any
    credentials: Any
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request or socket frame from a provider, before it is understood.

    path: what follows the instance slug in the address, without slashes at the ends.
    query: raw query string. headers: names in lower case. received_at: aware, UTC.
    url: the address the sender used, needed by schemes that sign it.
    peer: the network address it came from, "" where there is none.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = ""
    query: str = ""
    url: str = ""
    received_at: datetime | None = None
    transport: str = "http"
    peer: str = ""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told. A dict body is written as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """Body and content type. JSON ends with a line end; text is exactly what it is."""
        if isinstance(self.body, dict | list):
            return json.dumps(self.body).encode() + b"\n", "application/json"
        body = self.body or b""
        return body.encode() if isinstance(body, str) else body, "text/plain; charset=utf-8"


class Adapter:
    """Speaks one provider's language, both ways.

    verify_head, verify, normalize and what is called pure must not touch the network or the
    database.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[Config]] = Config
    Credentials: ClassVar[type[Config]] = Config
    normalizer: ClassVar[str]  # "<name>@<version>"; raised when the mapping changes
    addresses: ClassVar[Addresses] = MappingProxyType({})  # settings that say where secrets go
    redact: ClassVar[frozenset[str]] = frozenset()  # keys whose values never reach the archive
    verified_by: ClassVar[str] = "header"
    signs_bytes: ClassVar[bool] = False  # `verify` compares a signature over the body's bytes
    frame_transport: ClassVar[str] = ""  # name of the socket its frames come through
    listens: ClassVar[bool] = False  # its deliveries are fetched by `manage.py listen`
    local_presence: ClassVar[bool] = False  # typing is shown by our own pages, not sent
    max_bytes: ClassVar[int] = 0  # of one body; 0: as much as the installation takes
    capabilities: ClassVar[frozenset[str]] = frozenset()  # kinds of OutboundMessage it can send

    def handshake(self, delivery: Delivery, account: Account) -> Answer | None:
        """The answer to a provider's address check, None when `delivery` is not one."""
        return None

    def verify_head(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        """Prove the sender by the address and the headers, before the body is read.

        delivery: as it will come, with an empty body.
        Returns the name of the proof where it needs no body, else "": then `verify` decides.
        Raises SignatureMismatch for a sender that no body could prove.
        """
        return ""

    def verify(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        """Prove the sender, before anything is stored.

        Returns the name of the proof ("header apikey", "standard-webhooks key 1").
        Raises SignatureMismatch; fails closed when no secret is configured.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how a sender is verified")

    def complaints(self, account: Account) -> dict[str, str]:
        """Why no sender, or not only the right one, could ever be proven: {path: message}.

        Asked on saving an instance, so that it is told by day and not by refused deliveries.
        Paths start at `settings` or `credentials`; empty when all is well.
        """
        return {}

    def guest(self, delivery: Delivery, account: Account) -> Guest | None:
        """Who sent a proven delivery, where anybody can have the proof; None where a secret is
        shared. `max_bytes` of such an adapter is at most events.door.large_bodies.LARGE_BYTES.
        """
        return None

    def acknowledge(self, delivery: Delivery, account: Account) -> Answer | None:
        """A protocol's own acknowledgement; None for the usual 202 or 200."""
        return None

    def normalize(self, payload: Any, delivery: Delivery, account: Account) -> list[EventDraft]:
        """Payload to drafts. payload: parsed JSON where the body is JSON, else the bytes.

        What is not known becomes `event.unmapped`; nothing is dropped.
        """
        raise NotImplementedError(f"{type(self).__name__} must map its payloads")

    def parse(self, delivery: Delivery, account: Account) -> Parsed:
        """The payload `normalize` is given, as `.value`. The default reads strict JSON.

        Raises Unparsable: the delivery is kept as a dead letter.
        """
        return parse_json(delivery.body, charset=declared(delivery.content_type))

    def place_of(self, to: str, account: Account) -> Place:
        """What an address means, in one spelling for all the ways to write it. Pure.

        Never raises: what is no address stays as it stands, with a `fault` where that is sure.
        """
        return Place(to)

    def handle_of(self, ref: str, account: Account) -> Handle | None:
        """Whose address the ref of a direct conversation is, where one person has at most one of
        each kind of address at an account and may be reached by any. Pure.

        None: the ref is no such address; the default, for providers without any.
        """
        return None

    def is_same_line(self, ref: str, other: str, account: Account) -> bool:
        """Whether two refs are spellings of one address, by their form alone. Pure."""
        return ref == other

    def is_surely_not_own(self, ref: str, account: Account) -> bool:
        """Whether it would be known if an address were the account's own. Pure."""
        return False

    def can_be_same(self, one: str, other: str) -> bool:
        """Whether two refs can be names of one place. Pure.

        An echo may come under a name of its place that nobody has met yet.
        """
        return one == other

    def send(self, message: OutboundMessage, account: Account) -> SendResult:
        """Send one message; the outcome is a value, also when it is bad news."""
        return SendResult(status="rejected", error_code="unsupported",
                          error=f"{self.title} cannot send {message.kind}")

    def send_address(self, account: Account) -> str:
        """The address its sends are posted to, "" where they are not or where it is not known."""
        return ""

    def honours_keys(self, account: Account) -> bool:
        """Whether the other side takes a message with a client_ref it knows for the same one, so
        that a run may repeat a send nobody knows the outcome of.
        """
        return False

    def fetch_media(self, attachment: Attachment, message_id: str, account: Account) -> bytes:
        """The bytes of an attachment. Raises Unavailable when the provider no longer has them."""
        raise Unavailable(f"{self.title} cannot fetch media")

    def listen(self, account: Account, take: Callable[[Delivery], Answer],
               stop: threading.Event) -> None:
        """Fetch deliveries until `stop` is set and give each to `take`, which waits until it is
        stored; only an answer below 300 may be acknowledged to the provider.

        Wakes at least every few seconds to look at `stop`. Returning, or raising Unavailable,
        ends a connection: a new one follows after a pause. InvalidInput and NotConfigured are
        final until the instance is changed.
        """
        raise NotImplementedError(f"{type(self).__name__} does not listen")

    def set_up(self, account: Account, *, webhook_url: str) -> dict[str, Any]:
        """Prepare the account at the provider (register the webhook); returns facts to show."""
        return {}

    def health(self, account: Account) -> dict[str, Any]:
        """{state: connected|disconnected|connecting|unknown, detail, qr: data URL or None}."""
        return {"state": "unknown", "detail": f"{self.title} has no health call", "qr": None}
