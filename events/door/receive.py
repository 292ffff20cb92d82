"""The order of the front door, in one function. Both doors (`views`, `lane`) follow it."""

import json
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime

from connections import library
from connections.adapter import Account, Adapter, Answer, Delivery
from connections.guests import Guest
from events.door import body_encoding, large_bodies
from events.door.admission import Admitted, admit, error, refuse, try_later
from events.door.batches import Job
from events.door.body_budget import Share, budget
from events.door.commit import writer
from events.door.quotas import quotas
from events.store import archive, notify
from events.store.normalize import understand
from events.store.units import Stored, Unit
from omni import failpoints
from omni.errors import InvalidInput, SignatureMismatch, Unavailable


def receive(delivery: Delivery, *, provider: str, slug: str) -> "Future[Answer]":
    """Take one delivery in. The future ends with what the sender is told, never with an error.

    Known address -> size -> proof of the head -> [body] -> proof as sent -> opened -> handshake ->
    proof -> quota of a guest -> archive -> understand -> committed -> 2xx. The doors read the body
    between `admit` and `take_in`.
    Nothing authentic is refused: what cannot be understood is archived with the reason, and only a
    database that cannot commit (and a spool that cannot take over) answers 503.
    """
    admitted = admit(replace(delivery, body=b""), provider=provider, slug=slug,
                     size=len(delivery.body))
    if isinstance(admitted, Answer):
        return answered(admitted)
    with budget.share(unproven_of=admitted.unproven_of) as share:
        return share.until(take_in(delivery, proven_as_sent(delivery, admitted), share))


def proven_as_sent(delivery: Delivery, admitted: Admitted) -> Admitted:
    """`admitted` with the proof that a packed body gives before it is opened.

    Without one it comes back as it is: who signs first and packs then is proven by the opened body.
    """
    adapter = library.get(admitted.provider)
    if admitted.proof or not adapter.signs_bytes or not body_encoding.encoding_of(delivery):
        return admitted
    try:
        return replace(admitted, proof=adapter.verify(delivery, admitted.account,
                                                      now=datetime.now(UTC)))
    except SignatureMismatch:
        return admitted


def take_in(delivery: Delivery, admitted: Admitted, share: Share) -> "Future[Answer]":
    """What follows once the body is here, and was asked what it proves as it came
    (`proven_as_sent`). share: grows by what a packed body becomes, and is told of the proof.
    """
    adapter, account = library.get(admitted.provider), admitted.account
    if admitted.proof:
        share.proven()
    try:
        delivery = body_encoding.decoded(delivery, most=admitted.most, take=share.take)
    except body_encoding.TooLarge as exc:
        return answered(refuse(delivery, 413, "too_large", admitted.address, str(exc)))
    except InvalidInput as exc:
        return answered(error(415, "unsupported_encoding", exc.message))
    except Unavailable as exc:
        return answered(try_later(exc.message))
    challenge = adapter.handshake(delivery, account)
    if challenge is not None:
        return answered(challenge)
    try:
        proof = admitted.proof or adapter.verify(delivery, account, now=datetime.now(UTC))
    except SignatureMismatch as exc:
        return answered(refuse(delivery, 401, "signature_mismatch", admitted.address, exc.message))
    share.proven()
    if large_bodies.is_large(delivery):  # only what is proven waits for the one process
        return large_bodies.elsewhere.take(delivery, replace(admitted, proof=proof))
    failpoints.hit("ingest.verified")
    guest = adapter.guest(delivery, account)
    if guest is not None:
        told = _received(guest, delivery, admitted)
        if told is not None:
            return answered(told)
    return _stored(_unit_of(delivery, admitted, adapter=adapter, proof=proof), adapter, delivery,
                   account)


def _received(guest: Guest, delivery: Delivery, admitted: Admitted) -> Answer | None:
    """The answer to a guest who sent too much, or what is not stored; None for what is taken."""
    instance_id = admitted.instance.pk
    refusal = quotas.refusal(guest, instance_id=instance_id, peer=delivery.peer,
                             size=len(delivery.body))
    if refusal is not None or not guest.signal:
        return refusal
    if admitted.instance.is_on:
        notify.notifier.send(notify.SIGNALS, json.dumps({
            "instance_id": instance_id, "to": guest.name, "by": guest.name,
            "state": guest.signal}))
    return Answer(202, {"status": "passed_on"})


def _unit_of(delivery: Delivery, admitted: Admitted, *, adapter: Adapter, proof: str) -> Unit:
    instance = admitted.instance
    raw = archive.keep(delivery, instance_id=instance.pk, adapter=adapter, proof=proof)
    understood = understand(delivery, adapter=adapter, account=admitted.account)
    raw.flags = understood.flags
    if understood.reason:
        raw.quarantine(understood.reason, understood.detail)
    return Unit(instance_id=instance.pk, provider=admitted.provider, drafts=understood.drafts,
                raw=raw, received_at=delivery.received_at, routed=not instance.is_on)


def _stored(unit: Unit, adapter: Adapter, delivery: Delivery,
            account: Account) -> "Future[Answer]":
    """Hand the unit to the writer; its end becomes the answer."""
    answer: Future[Answer] = Future()
    answer.set_running_or_notify_cancel()  # an impatient door may leave, the answer stays

    def told(done: "Future[Stored | None]") -> None:
        failure = done.exception()
        if failure is not None:
            answer.set_result(try_later(str(failure)))
            return
        answer.set_result(adapter.acknowledge(delivery, account) or _acknowledged(
            done.result(), quarantined=unit.raw.quarantine_reason))

    try:
        writer.submit(Job(unit)).add_done_callback(told)
    except Unavailable as exc:
        answer.set_result(try_later(exc.message))
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


def answered(answer: Answer) -> "Future[Answer]":
    """An answer that needs no waiting."""
    done: Future[Answer] = Future()
    done.set_result(answer)
    return done
