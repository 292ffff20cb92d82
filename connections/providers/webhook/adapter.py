"""The generic webhook: any sender, proven as the instance says, mapped as the instance says."""

import hmac
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from connections import standard_webhooks
from connections.adapter import Account, Adapter, Answer, Delivery
from connections.envelope import EventDraft, OutboundMessage, Place, SendResult
from connections.moved import Addresses
from connections.payload import Parsed
from connections.providers.webhook import bodies, client, cloudevents, mapping, proofs
from connections.providers.webhook.config import Credentials, Settings
from omni.errors import SignatureMismatch

HUB_HEADER, HUB_PREFIX = "x-hub-signature-256", "sha256="


class WebhookAdapter(Adapter):
    name = "webhook"
    title = "Generic webhook"
    Settings = Settings
    Credentials = Credentials
    addresses: ClassVar[Addresses] = {
        "send_url": ("send_secret", "send_authorization")}
    normalizer = "webhook@1"
    verified_by = "settings.verification"
    signs_bytes = True
    capabilities: ClassVar[frozenset[str]] = frozenset((
        "text", "image", "audio", "video", "document", "sticker", "location", "contact", "poll",
        "reaction", "presence", "read", "edit", "delete"))

    def handshake(self, delivery: Delivery, account: Account) -> Answer | None:
        return cloudevents.handshake(delivery, allowed_origins=account.settings.allowed_origins)

    def verify_head(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        verification = account.settings.verification
        if verification == "none":
            return "unsigned"  # the settings model only allows this with allow_unsigned
        if verification == "standard_webhooks":
            standard_webhooks.check_head(delivery.headers, secrets=account.credentials.secrets(),
                                         now=now)
            return ""
        if verification == "hub_signature":
            _hub_digest(delivery)
            return ""
        return _verify_token(delivery, account)

    def verify(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        verification = account.settings.verification
        if verification == "standard_webhooks":
            return standard_webhooks.verify(delivery.body, delivery.headers,
                                   secrets=account.credentials.secrets(), now=now)
        if verification == "hub_signature":
            return _verify_hub(delivery, account)
        return self.verify_head(delivery, account, now=now)

    def complaints(self, account: Account) -> dict[str, str]:
        return proofs.complaints(account.settings, account.credentials)

    def parse(self, delivery: Delivery, account: Account) -> Parsed:
        return bodies.parse(delivery)

    def normalize(self, payload: Any, delivery: Delivery, account: Account) -> list[EventDraft]:
        drafts = mapping.to_drafts(payload, delivery, account.settings, slug=account.slug)
        for draft in drafts:
            draft.normalizer = self.normalizer
        return drafts

    def place_of(self, to: str, account: Account) -> Place:
        return mapping.place_of(to, account.settings)

    def send_address(self, account: Account) -> str:
        return account.settings.send_url

    def honours_keys(self, account: Account) -> bool:
        return account.settings.send_idempotent

    def send(self, message: OutboundMessage, account: Account) -> SendResult:
        return client.send(message, account)


def _verify_hub(delivery: Delivery, account: Account) -> str:
    """Hex HMAC-SHA256 of the body. Source: GitHub docs, "Validating webhook deliveries"."""
    digest = _hub_digest(delivery)
    for number, secret in enumerate(account.credentials.secrets(), start=1):
        expected = hmac.new(secret.encode(), delivery.body, sha256).hexdigest().encode()
        if hmac.compare_digest(expected, digest):
            return f"hub-signature key {number}"
    raise SignatureMismatch("X-Hub-Signature-256 fits no configured secret (credentials.secret)")


def _hub_digest(delivery: Delivery) -> bytes:
    given = delivery.headers.get(HUB_HEADER, "")
    if not given.startswith(HUB_PREFIX):
        raise SignatureMismatch("header X-Hub-Signature-256 is missing or not sha256=...")
    return given.removeprefix(HUB_PREFIX).encode("utf-8", "replace")


def _verify_token(delivery: Delivery, account: Account) -> str:
    name = account.settings.token_header.lower()
    given = delivery.headers.get(name, "")
    is_bearer = name == "authorization"
    given = _bare(given) if is_bearer else given
    digest = sha256(given.encode("utf-8", "replace")).digest()
    for number, token in enumerate(account.credentials.tokens(), start=1):
        token = _bare(token) if is_bearer else token
        expected = sha256(token.encode("utf-8", "replace")).digest()
        if given and hmac.compare_digest(expected, digest):
            return f"header {name} key {number}"
    if not account.credentials.token:
        raise SignatureMismatch("no token is configured; fill in credentials.token")
    raise SignatureMismatch(f"header {name} is missing or carries another token")


def _bare(value: str) -> str:
    """The token without the scheme a sender, or the person who configured it, wrote before it."""
    return value[7:].strip() if value[:7].lower() == "bearer " else value
