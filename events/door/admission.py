"""Who may come in: everything about a delivery that is decided before its body is read."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import InterfaceError, OperationalError

from connections import library
from connections.adapter import Account, Answer, Delivery
from connections.models import Instance, lookup
from events.door.commit import writer
from events.door.knocks import knocks
from omni.errors import SignatureMismatch

logger = logging.getLogger("omni.events")
RETRY_AFTER = "5"  # seconds a sender is asked to wait while nothing can be kept
_TEXTS = {404: "there is no instance at this address",
          401: "the sender could not be verified",
          413: "the body is larger than this address takes"}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A delivery that may be read.

    most: bytes its body may have, as it comes and opened. proof: what the head alone proved, ""
    while `Adapter.verify` has to see the body.
    """

    provider: str
    instance: Instance
    account: Account
    most: int
    proof: str

    @property
    def address(self) -> str:
        return f"{self.provider}/{self.instance.slug}"

    @property
    def unproven_of(self) -> str:
        """The address that has still to prove the body, "" when its head was enough."""
        return "" if self.proof else self.address


def admit(head: Delivery, *, provider: str, slug: str, size: int | None) -> Admitted | Answer:
    """Known address -> size -> handshake or proof as far as neither needs the body.

    head: the delivery with an empty body. size: bytes the sender announced, None when it did not.
    Asks the database when the address is not in the cache. Never raises for what was sent.
    """
    address = f"{provider}/{slug}"
    if provider not in library.adapters():
        return refuse(head, 404, "unknown_address", address)
    try:
        instance, account = lookup(provider, slug)
    except (OperationalError, InterfaceError):
        return try_later("the database is not available")
    if instance is None:
        return refuse(head, 404, "unknown_address", address)
    if account is None:
        logger.error("Instance settings no longer fit.", extra={"instance": slug})
        return try_later("this instance's settings need attention")
    adapter = library.get(provider)
    most = settings.OMNI_WEBHOOK_MAX_BYTES
    most = min(most, adapter.max_bytes or most)
    if size is not None and size > most:
        return refuse(head, 413, "too_large", address)
    challenge = adapter.handshake(head, account)
    if challenge is not None:
        return challenge
    try:
        proof = adapter.verify_head(head, account, now=datetime.now(UTC))
    except SignatureMismatch as exc:
        return refuse(head, 401, "signature_mismatch", address, exc.message)
    return Admitted(provider=provider, instance=instance, account=account, most=most, proof=proof)


def announced(headers: Mapping[str, str]) -> int | None:
    """The length a sender says its body has; None when it says none, or something odd."""
    given = headers.get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else None


def refuse(delivery: Delivery, status: int, reason: str, address: str, detail: str = "") -> Answer:
    """The answer to a delivery that is not taken; it is counted, its body is not kept."""
    knocks.count(delivery, address=address, reason=reason, detail=detail)
    writer.wake()
    return error(status, reason, _TEXTS[status])


def try_later(detail: str) -> Answer:
    logger.warning("Delivery not taken.", extra={"reason": detail})
    answer = error(503, "unavailable", "not stored; send it again")
    return Answer(answer.status, answer.body, {"Retry-After": RETRY_AFTER})


def error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})
