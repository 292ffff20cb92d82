"""Adapter of the built-in web chat. What is sent here is shown by the live feed, so nothing can
fail on the way out: the stored outbound event is the delivery.
"""

import hashlib
from datetime import datetime
from typing import Any

from pydantic import Field

from connections.adapter import Account, Adapter, Config, Delivery
from connections.envelope import Attachment, EventDraft, OutboundMessage, Place, SendResult
from connections.guests import Guest, Limits
from connections.http.client import Client
from connections.payload import Unparsable, parse_json
from connections.providers.webchat import mapping, visitors
from connections.secrets.texts import Secrets, named, passphrase_fault, wrong_in
from omni.errors import RateLimited, Rejected, SignatureMismatch

MEDIA_SECONDS = 20.0
FRAME_MAX = 8 * 1024 * 1024  # bytes of one frame, on the socket and as a POST


class WebchatSettings(Config):
    greeting: str = Field("", max_length=500, description="Shown before the first message.")
    limits: Limits = Field(Limits(), description="How much visitors may send; 0 is no limit.")


class WebchatCredentials(Secrets):
    secret: str = Field("", max_length=500, repr=False, description=(
        "Any long random text; signs the visitors' tokens. Without it nobody can chat."))


class WebchatAdapter(Adapter):
    """A page and a socket of ours; visitors are known by a signed token."""

    name = "webchat"
    title = "Web chat"
    Settings = WebchatSettings
    Credentials = WebchatCredentials
    normalizer = mapping.NORMALIZER
    verified_by = "visitor token"
    max_bytes = FRAME_MAX
    local_presence = True  # typing and read marks go to the page by the live feed
    capabilities = frozenset({"text", "image", "audio", "video", "document", "location", "poll",
                              "presence", "read"})

    def verify_head(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        _visitor_of(delivery, account)
        return ""  # the frame must be the visitor's own

    def verify(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        """The token in `x-omni-visitor` proves the visitor, who must be the one in the frame."""
        visitor = _visitor_of(delivery, account)
        try:
            frame = parse_json(delivery.body).value
        except Unparsable:
            return "visitor token"  # kept as a dead letter; it speaks for nobody
        if mapping.visitor_in(frame) != visitor:
            raise SignatureMismatch("the frame speaks for another visitor than its token")
        return "visitor token"

    def guest(self, delivery: Delivery, account: Account) -> Guest | None:
        try:
            frame = parse_json(delivery.body).value
        except Unparsable:
            frame = None
        return Guest(name=_visitor_of(delivery, account), limits=account.settings.limits,
                     signal=mapping.signal_in(frame))

    def complaints(self, account: Account) -> dict[str, str]:
        return wrong_in(named(account.credentials, ("secret",)), passphrase_fault)

    def normalize(self, payload: Any, delivery: Delivery, account: Account) -> list[EventDraft]:
        return mapping.drafts(payload)

    def place_of(self, to: str, account: Account) -> Place:
        visitor = to.strip()
        return Place(visitor, "direct") if visitors.is_visitor(visitor) else Place(to)

    def send(self, message: OutboundMessage, account: Account) -> SendResult:
        if not visitors.is_visitor(message.to):
            return SendResult(status="rejected", error_code="bad_recipient",
                              error="the recipient is no visitor of a web chat")
        if message.kind not in self.capabilities:
            return super().send(message, account)
        digest = hashlib.sha256(message.client_ref.encode()).hexdigest()[:32]
        return SendResult(status="succeeded", provider_message_id=f"{message.to}:{digest}")

    def fetch_media(self, attachment: Attachment, message_id: str, account: Account) -> bytes:
        """A file that was sent to a visitor by its address, so that the page asks us alone."""
        if not attachment.source_url:
            return super().fetch_media(attachment, message_id, account)
        answer = Client(attachment.source_url, timeout=MEDIA_SECONDS,
                        account=account.id).request("GET")
        if answer.is_rate_limited:
            raise RateLimited("the file's host is busy", retry_after=answer.retry_after)
        if answer.status != 200:
            raise Rejected(f"the file's host answered {answer.status}", status=answer.status)
        return answer.content

    def health(self, account: Account) -> dict[str, Any]:
        if not account.credentials.secret:
            return {"state": "disconnected", "qr": None,
                    "detail": "credentials.secret is empty: nobody can chat"}
        return {"state": "connected", "detail": f"/chat/{account.slug}/", "qr": None}


def _visitor_of(delivery: Delivery, account: Account) -> str:
    """The visitor whose token comes with the delivery. Raises SignatureMismatch."""
    return visitors.visitor_of(delivery.headers.get(visitors.TOKEN_HEADER, ""),
                               slug=account.slug, secret=account.credentials.secret)
