"""The adapter of WhatsApp through Evolution API."""

import base64
import binascii
import time
from datetime import datetime
from typing import Any, ClassVar

from connections.adapter import Account, Adapter, Delivery
from connections.envelope import (
    Attachment,
    EventDraft,
    Handle,
    OutboundMessage,
    Place,
    SendResult,
)
from connections.http.client import Client, Response
from connections.moved import Addresses
from connections.providers.whatsapp_evolution import places
from connections.providers.whatsapp_evolution.client import (
    MAX_MEDIA_BYTES,
    SUBSCRIPTIONS,
    EvolutionClient,
)
from connections.providers.whatsapp_evolution.config import Credentials, Settings, complaints
from connections.providers.whatsapp_evolution.identity import is_surely_not_own
from connections.providers.whatsapp_evolution.mapping import to_drafts
from connections.providers.whatsapp_evolution.outbound import (
    BUILDERS,
    HARMLESS,
    Call,
    build,
    presence_seconds,
)
from connections.providers.whatsapp_evolution.proof import prove
from connections.providers.whatsapp_evolution.scalars import as_dict, as_text, without_blanks
from omni.errors import (
    InvalidInput,
    NotConfigured,
    NotSent,
    RateLimited,
    Rejected,
    Unavailable,
    UnknownOutcome,
)

PRESENCE_WAIT_SECONDS = 3.0
STATES = {"open": "connected", "close": "disconnected", "connecting": "connecting"}


class WhatsAppEvolution(Adapter):
    """WhatsApp accounts paired by QR code, reached through an Evolution API server (1.x, 2.x)."""

    name = "whatsapp_evolution"
    title = "WhatsApp (Evolution API)"
    Settings = Settings
    Credentials = Credentials
    # Setting up the webhook hands the secrets that prove it to the server.
    addresses: ClassVar[Addresses] = {"base_url": ("api_key", "webhook_secret", "jwt_key"),
                                      "evolution_instance": ("webhook_secret", "jwt_key")}
    normalizer = "whatsapp_evolution@1"
    redact = frozenset({"apikey", "pairingCode", "token", "hash", "inviteCode", "qrcode.code",
                        "qrcode.base64"})
    verified_by = "header"
    capabilities = frozenset(BUILDERS)

    def verify(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        return self.verify_head(delivery, account, now=now)

    def verify_head(self, delivery: Delivery, account: Account, *, now: datetime) -> str:
        """A secret header or the server's JWT; "none" only where that is switched on."""
        settings, credentials = account.settings, account.credentials
        secrets = [("current", credentials.webhook_secret),
                   ("previous", credentials.webhook_secret_previous)]
        jwt_keys = [("current", credentials.jwt_key), ("previous", credentials.jwt_key_previous)]
        if settings.allow_unsigned and not any(value for _, value in secrets + jwt_keys):
            return "none"
        return prove(delivery.headers, header=settings.webhook_header, secrets=secrets,
                     jwt_keys=jwt_keys, now=now)

    def complaints(self, account: Account) -> dict[str, str]:
        return complaints(account.settings, account.credentials)

    def normalize(self, payload: Any, delivery: Delivery, account: Account) -> list[EventDraft]:
        drafts = to_drafts(payload, delivery=delivery, slug=account.slug,
                           owner_jid=account.settings.owner_jid,
                           own_lid=account.settings.own_lid)
        for draft in drafts:
            draft.normalizer = self.normalizer
        return drafts

    def place_of(self, to: str, account: Account) -> Place:
        return places.place_of(to, own=_own(account))

    def handle_of(self, ref: str, account: Account) -> Handle | None:
        return places.handle_of(ref, scope=account.slug)

    def is_same_line(self, ref: str, other: str, account: Account) -> bool:
        return places.is_same_line(ref, other)

    def is_surely_not_own(self, ref: str, account: Account) -> bool:
        return is_surely_not_own(ref, _own(account))

    def can_be_same(self, one: str, other: str) -> bool:
        return bool(places.same_place(one, other))

    def send_address(self, account: Account) -> str:
        return account.settings.base_url

    def send(self, message: OutboundMessage, account: Account) -> SendResult:
        try:
            call = build(message)
            client = EvolutionClient(account)
        except (InvalidInput, NotConfigured) as exc:
            return SendResult(status="rejected", error=exc.message, error_code=exc.code)
        result = (_show_presence(client, call, presence_seconds(message))
                  if message.kind == "presence" else _send(client, call))
        if result.status == "unknown" and message.kind in HARMLESS:
            return SendResult(status="rejected", error_code="harmless", error=result.error)
        result.conversation_ref = places.same_place(message.to, result.answer.get("remote_jid", ""))
        return result

    def fetch_media(self, attachment: Attachment, message_id: str, account: Account) -> bytes:
        """The plain bytes: from the server's storage where we reach it, else from the server."""
        if attachment.source_url and not attachment.encryption:
            try:
                return _download(attachment.source_url, account)
            except RateLimited:
                raise  # it is reached, and has the file later
            except Unavailable:
                pass  # the storage may be on the server's own network
        answer = EvolutionClient(account).media(message_id)
        try:
            found = base64.b64decode(as_text(answer.get("base64")), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise Unavailable("Evolution answered with broken base64") from exc
        if not found:
            raise Unavailable("Evolution has no bytes for this message any more")
        return found

    def set_up(self, account: Account, *, webhook_url: str) -> dict[str, Any]:
        """Sets the webhook; an instance the server does not know yet is created with it."""
        client = EvolutionClient(account)
        created = False
        try:
            client.set_webhook(webhook_url)
        except Rejected as exc:
            if exc.status != 404:
                raise
            client.create_instance(webhook_url=webhook_url)
            created = True
        return {"instance": client.instance, "created": created, "webhook": webhook_url,
                "events": list(SUBSCRIPTIONS)}

    def health(self, account: Account) -> dict[str, Any]:
        """The server's word on the connection, with a QR code when one is waiting."""
        try:
            client = EvolutionClient(account)
            native = client.state()
            qr = None if native == "open" else client.connect().get("base64")
        except (InvalidInput, NotConfigured, Unavailable) as exc:
            return {"state": "unknown", "detail": exc.message, "qr": None}
        return {"state": STATES.get(native, "unknown"), "detail": native or "no state given",
                "qr": as_text(qr) or None}


def _own(account: Account) -> frozenset[str]:
    """The account's own addresses, as configured."""
    return frozenset({account.settings.owner_jid, account.settings.own_lid} - {""})


def _show_presence(client: EvolutionClient, call: Call, seconds: float) -> SendResult:
    """A presence is shown while the server holds the request; its end is not waited for."""
    limit = min(PRESENCE_WAIT_SECONDS, seconds + 1.0)
    started = time.monotonic()
    result = _send(client, call, timeout=limit)
    was_held = result.status == "unknown" and time.monotonic() - started >= limit
    return SendResult(status="succeeded") if was_held else result


def _send(client: EvolutionClient, call: Call, *, timeout: float | None = None) -> SendResult:
    try:
        response = client.send(call, timeout=timeout)
    except NotSent as exc:
        return SendResult(status="not_sent", error=exc.message, error_code=exc.code, retryable=True)
    except UnknownOutcome as exc:
        return SendResult(status="unknown", error=exc.message, error_code=exc.code)
    except InvalidInput as exc:
        return SendResult(status="rejected", error=exc.message, error_code=exc.code)
    return _judge(client, response)


def _judge(client: EvolutionClient, response: Response) -> SendResult:
    """What a status means. The server has no idempotency key: only a clear no may be repeated."""
    status, code = response.status, str(response.status)
    if 200 <= status < 300:
        answer = as_dict(response.json())
        key = as_dict(answer.get("key"))
        facts = {"status": as_text(answer.get("status")), "remote_jid": as_text(
            key.get("remoteJid")), "timestamp": as_text(answer.get("messageTimestamp"))}
        return SendResult(status="succeeded", answer=without_blanks(facts),
                          provider_message_id=as_text(key.get("id")) or None)
    error = f"Evolution answered {status}: {client.explain(response)}"
    if response.is_rate_limited:
        return SendResult.rate_limited(error, retry_after=response.retry_after)
    if status >= 500 or status in (408, 409):
        return SendResult(status="unknown", error=error, error_code=code)
    return SendResult(status="rejected", error=error, error_code=code)


def _download(url: str, account: Account) -> bytes:
    """A file from the server's storage; its address carries its own permission."""
    response = Client(url, account=account.id).request("GET", max_bytes=MAX_MEDIA_BYTES)
    if response.is_rate_limited:
        raise RateLimited("the file's storage is busy", retry_after=response.retry_after)
    if response.status != 200:
        raise Unavailable(f"the file's storage answered {response.status}")
    return response.content
