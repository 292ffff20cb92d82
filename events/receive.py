"""The order of the front door, in one function. Both doors (`views`, `lane`) call it."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime

from django.conf import settings
from django.db import InterfaceError, OperationalError

from connections import library
from connections.adapter import Account, Adapter, Answer, Delivery
from connections.models import lookup
from events import archive, body_encoding
from events.commit import Job, writer
from events.ingest import Stored, Unit
from events.knocks import knocks
from events.normalize import understand
from omni import failpoints
from omni.errors import InvalidInput, SignatureMismatch, Unavailable, UnknownProvider

logger = logging.getLogger("omni.events")
RETRY_AFTER = "5"  # seconds a sender is asked to wait while the database is away


def receive(delivery: Delivery, *, provider: str, slug: str) -> "Future[Answer]":
    """Take one delivery in. The future ends with what the sender is told, never with an error.

    Known address -> size -> handshake -> proof -> archive -> understand -> committed -> 2xx.
    Nothing authentic is refused: what cannot be understood is archived with the reason, and only a
    database that cannot commit (and a spool that cannot take over) answers 503.
    """
    address = f"{provider}/{slug}"
    try:
        adapter = library.get(provider)
        instance, account = lookup(provider, slug)
    except UnknownProvider:
        return _refuse(delivery, 404, "unknown_address", address)
    except (OperationalError, InterfaceError):
        return _answered(_try_later("the database is not available"))
    if instance is None:
        return _refuse(delivery, 404, "unknown_address", address)
    if account is None:
        logger.error("Instance settings no longer fit.", extra={"instance": slug})
        return _answered(_try_later("this instance's settings need attention"))
    try:
        delivery = body_encoding.decoded(delivery, most=settings.OMNI_WEBHOOK_MAX_BYTES)
    except body_encoding.TooLarge as exc:
        return _refuse(delivery, 413, "too_large", address, str(exc))
    except InvalidInput as exc:
        return _answered(_error(415, "unsupported_encoding", exc.message))
    challenge = adapter.handshake(delivery, account)
    if challenge is not None:
        return _answered(challenge)
    try:
        proof = adapter.verify(delivery, account, now=datetime.now(UTC))
    except SignatureMismatch as exc:
        return _refuse(delivery, 401, "signature_mismatch", address, exc.message)
    failpoints.hit("ingest.verified")

    raw = archive.keep(delivery, instance_id=instance.pk, adapter=adapter, proof=proof)
    understood = understand(delivery, adapter=adapter, account=account)
    raw.flags = understood.flags
    if understood.reason:
        raw.quarantine(understood.reason, understood.detail)
    unit = Unit(instance_id=instance.pk, provider=provider, drafts=understood.drafts, raw=raw,
                received_at=delivery.received_at, routed=not instance.is_on)
    return _stored(unit, adapter, delivery, account)


def too_large(headers: Mapping[str, str], *, provider: str, slug: str) -> Answer:
    """The refusal of a body that a door did not even read to its end; counted like the others."""
    delivery = Delivery(body=b"", headers=headers)
    return _refuse(delivery, 413, "too_large", f"{provider}/{slug}").result()


def _stored(unit: Unit, adapter: Adapter, delivery: Delivery,
            account: Account) -> "Future[Answer]":
    """Hand the unit to the writer; its end becomes the answer."""
    answer: Future[Answer] = Future()
    answer.set_running_or_notify_cancel()  # an impatient door may leave, the answer stays

    def told(done: "Future[Stored | None]") -> None:
        error = done.exception()
        if error is not None:
            answer.set_result(_try_later(str(error)))
            return
        answer.set_result(adapter.acknowledge(delivery, account) or _acknowledged(
            done.result(), quarantined=unit.raw.quarantine_reason))

    try:
        writer.submit(Job(unit)).add_done_callback(told)
    except Unavailable as exc:
        answer.set_result(_try_later(exc.message))
    return answer


def _acknowledged(stored: Stored | None, *, quarantined: str) -> Answer:
    """202 for something new, 200 for what is known or kept as a dead letter."""
    if stored is None:
        return Answer(202, {"status": "spooled"})
    if quarantined:
        return Answer(200, {"status": "quarantined", "reason": quarantined,
                            "raw_id": stored.raw_id})
    if not stored.event_ids:
        return Answer(200, {"status": "duplicate", "events": stored.known_ids})
    return Answer(202, {"status": "accepted", "events": stored.event_ids})


def _refuse(delivery: Delivery, status: int, reason: str, address: str,
            detail: str = "") -> "Future[Answer]":
    knocks.count(delivery, address=address, reason=reason, detail=detail)
    writer.wake()
    texts = {404: "there is no instance at this address",
             401: "the sender could not be verified",
             413: "the body is larger than this address takes"}
    return _answered(_error(status, reason, texts[status]))


def _try_later(detail: str) -> Answer:
    logger.warning("Delivery not taken.", extra={"reason": detail})
    answer = _error(503, "unavailable", "not stored; send it again")
    return Answer(answer.status, answer.body, {"Retry-After": RETRY_AFTER})


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _answered(answer: Answer) -> "Future[Answer]":
    done: Future[Answer] = Future()
    done.set_result(answer)
    return done
