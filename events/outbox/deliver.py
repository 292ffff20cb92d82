"""The outbox: everything that goes out, at most once per effect key.

The attempt is committed before the call and the outcome after it. A crash in between leaves a
`sending` row; whoever meets it next writes `unknown` and never sends again by itself, unless the
adapter says that the other side honours our keys. An `unknown` is settled by the provider's echo or
by a person.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from connections.envelope import Attachment, EventDraft, OutboundMessage, SendResult
from connections.models import Instance, why_off
from connections.storable import storable
from events.models import Conversation, Event, OutboxMessage
from events.outbox import destinations, echoes, interrupted, limits
from events.people import other_names
from events.store import ingest, notify
from events.store.units import Unit
from omni import audit, failpoints
from omni.clock import DatabaseNow
from omni.errors import InvalidInput, NotSent, OmniError, RateLimited, UnknownOutcome

logger = logging.getLogger("omni.events")
ONE_PROCESS = uuid.uuid4().hex  # a `sending` row of another process was interrupted
IN_FLIGHT = timedelta(seconds=interrupted.AFTER_SECONDS)
INSTANCE_OFF = "instance_off"
_WORDS = ("to", "text", "content", "mentions", "target_message_id", "thread_ref")
_SETTLED = ("succeeded", "rejected", "unknown")
AGAIN = "again"  # the resolution of a send that a person did once more
_RESOLUTIONS = {"person_sent": "succeeded", "person_not_sent": "not_sent"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What an effect came to. duplicate: it had been done before, nothing was sent now.

    retryable: it may be asked for again under the same key.
    """

    state: str
    outbox_id: int
    provider_message_id: str | None = None
    event_id: int | None = None
    error: str = ""
    error_code: str = ""
    retryable: bool = False
    retry_after: float | None = None
    duplicate: bool = False


def send(message: OutboundMessage, *, instance: Instance, effect_key: str,
         conversation: Conversation | None = None, caused_by: Event | None = None,
         run_id: int | None = None) -> Delivered:
    """Send one message through the instance's adapter, once per effect key.

    Without a conversation it goes to the one of its address, which is found or made. A sent message
    becomes an outbound event of source `api` with the effect key as client_ref, so that the
    provider's echo finds it. Raises InvalidParams when the instance is not set up, InvalidInput
    with code `instance_off` when it may send nothing, and what `limits.check` raises for a run.
    """
    for name in _WORDS:
        setattr(message, name, storable(getattr(message, name)))
    message.client_ref = effect_key
    account = instance.account()
    adapter = instance.adapter
    request = request_of(message)
    if conversation is None:
        message, conversation = _addressed(message, instance)
    conversation = conversation.merged_into or conversation
    recipient = conversation.ref  # the same for every spelling of an address
    if run_id is not None:
        limits.check(instance_id=instance.pk, recipient=recipient, run_id=run_id,
                     effect_key=effect_key, answers=limits.is_answer(
                         caused_by, instance_id=instance.pk, recipient=recipient,
                         conversation_id=conversation.pk))

    def call(_: str) -> SendResult:
        return adapter.send(message, account)

    return _once(call, instance=instance, effect_key=effect_key, kind=message.kind,
                 recipient=recipient, request=request, conversation=conversation,
                 caused_by=caused_by, run_id=run_id, message=message,
                 may_repeat=run_id is not None and adapter.honours_keys(account))


def _addressed(message: OutboundMessage, instance: Instance) -> tuple[OutboundMessage,
                                                                      Conversation]:
    """The message with the address to send it to, and the conversation it is filed in.

    It goes to the address that was asked for, in the adapter's spelling or that of the
    conversation: any other address the conversation has is another line. Raises InvalidInput for
    what is no address.
    """
    adapter, account = instance.adapter, instance.account()
    place = adapter.place_of(message.to, account)
    if place.fault:
        raise InvalidInput(place.fault, code="bad_recipient")
    conversation = destinations.of_place(instance, place)
    is_spelling = conversation.ref in place.aliases or adapter.is_same_line(
        place.ref, conversation.ref, account)
    return replace(message, to=conversation.ref if is_spelling else place.ref), conversation


def perform(*, instance: Instance, effect_key: str, kind: str, recipient: str,
            request: dict[str, Any], call: Callable[[str], SendResult],
            caused_by: Event | None = None, run_id: int | None = None) -> Delivered:
    """Any other outward act, once per effect key; `call` is given the key to pass on.

    Raises InvalidInput with code `instance_off` when the instance may send nothing.
    """
    return _once(call, instance=instance, effect_key=effect_key, kind=kind,
                 recipient=storable(recipient), request=storable(request), caused_by=caused_by,
                 run_id=run_id)


def signal(message: OutboundMessage, *, instance: Instance) -> None:
    """Typing and read marks: best effort, no record, no error for the caller."""
    adapter = instance.adapter
    if why_off(instance.pk):
        logger.info("Signal not sent.", extra={"kind": message.kind, "reason": INSTANCE_OFF})
        return
    if adapter.local_presence:
        notify.notifier.send(notify.SIGNALS, json.dumps({
            "instance_id": instance.pk, "to": message.to,
            "state": "read" if message.kind == "read"
            else message.content.get("state", "typing")}))
        return
    try:
        result = adapter.send(message, instance.account())
    except OmniError as exc:
        logger.info("Signal not sent.", extra={"kind": message.kind, "reason": exc.code})
        return
    if result.status != "succeeded":
        logger.info("Signal not sent.", extra={"kind": message.kind, "reason": result.error_code})


def request_of(message: OutboundMessage) -> dict[str, Any]:
    """What the outbox keeps of a message: a file's bytes by digest."""
    request = {name: value for name, value in asdict(message).items() if value}
    if "base64" in request.get("media", {}):
        digest = hashlib.sha256(request["media"]["base64"].encode()).hexdigest()
        request["media"] = {**request["media"], "base64": f"[sha256 {digest}]"}
    return request


def request_hash(kind: str, recipient: str, request: dict[str, Any]) -> str:
    """sha256 of what is asked for; an effect key stands for one request only."""
    said = json.dumps([kind, recipient, request], sort_keys=True, default=str)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def _once(call: Callable[[str], SendResult], *, instance: Instance, effect_key: str, kind: str,
          recipient: str, request: dict[str, Any], conversation: Conversation | None = None,
          caused_by: Event | None = None, run_id: int | None = None,
          message: OutboundMessage | None = None, may_repeat: bool = False) -> Delivered:
    row, earlier = _begin(instance=instance, effect_key=effect_key, kind=kind,
                          recipient=recipient, request=request, conversation=conversation,
                          caused_by=caused_by, run_id=run_id, may_repeat=may_repeat)
    if earlier is not None:
        return earlier
    failpoints.hit("attempt.committed")
    result = _called(call, effect_key)
    failpoints.hit("call.answered")
    with transaction.atomic():
        if message is not None and result.status == "succeeded":
            row.event_id = _record_event(row, message, result, caused_by)
        _finish(row, result)
    failpoints.hit("outcome.committed")
    if message is not None:
        notify.notifier.send(notify.EVENTS)  # its echo may have waited for this
    return _delivered(row, retry_after=result.retry_after, retryable=row.state == "not_sent" or (
        may_repeat and row.state == "unknown"))


def _begin(*, instance: Instance, effect_key: str, kind: str, recipient: str,
           request: dict[str, Any], conversation: Conversation | None, caused_by: Event | None,
           run_id: int | None,
           may_repeat: bool) -> tuple[OutboxMessage, Delivered | None]:
    """Commit the attempt; or say what became of an earlier one. may_repeat: also an unknown one.

    Raises InvalidInput with code `instance_off` when there is none, and there may be none now.
    """
    hashed = request_hash(kind, request.get("to", recipient), request)  # as it was asked for
    now = timezone.now()
    # Alone, one INSERT is a transaction of its own: no BEGIN and COMMIT around it.
    apart = transaction.atomic() if connection.in_atomic_block else nullcontext()
    off = why_off(instance.pk)
    if off and not OutboxMessage.objects.filter(effect_key=effect_key).exists():
        raise InvalidInput(off, code=INSTANCE_OFF)
    try:
        with apart:
            row = OutboxMessage.objects.create(
                instance=instance, conversation=conversation, effect_key=effect_key, kind=kind,
                recipient=recipient, request=request, request_hash=hashed, state="sending",
                attempts=1, token=ONE_PROCESS, run_id=run_id, caused_by=caused_by,
                started_at=DatabaseNow())
            return row, None
    except IntegrityError:
        pass
    with transaction.atomic():
        row = OutboxMessage.objects.select_for_update().get(effect_key=effect_key)
        if row.state == "sending":
            if _is_in_flight(row, now):
                raise InvalidInput(f"effect '{effect_key}' is being sent", code="in_flight")
            row.state, row.error_code = "unknown", "interrupted"
            row.error = interrupted.REASON
            row.ended_at = DatabaseNow()
            row.save(update_fields=["state", "error", "error_code", "ended_at"])
            _look_back(row)
        if row.state in _SETTLED and not (may_repeat and row.state == "unknown"):
            return row, _delivered(row, duplicate=True)
        if off:
            raise InvalidInput(off, code=INSTANCE_OFF)
        row.state, row.token, row.started_at = "sending", ONE_PROCESS, DatabaseNow()
        row.attempts += 1
        row.conversation, row.recipient = row.conversation or conversation, recipient
        row.save(update_fields=["state", "token", "started_at", "attempts", "conversation",
                                "recipient"])
    return row, None


def _is_in_flight(row: OutboxMessage, now: datetime) -> bool:
    """Whether somebody is sending this right now: this process, or a web process just now.

    A run's effects have one owner at a time, whichever process that is: who meets `sending` again
    is its new owner, and the former one was killed or lost the database.
    """
    return row.run_id is None and (
        row.token == ONE_PROCESS or now - (row.started_at or now) < IN_FLIGHT)


def _called(call: Callable[[str], SendResult], effect_key: str) -> SendResult:
    """The call, with every error as an outcome: what is not known to be harmless is unknown."""
    try:
        return call(effect_key)
    except NotSent as exc:
        return SendResult("not_sent", error=exc.message, error_code=exc.code, retryable=True)
    except UnknownOutcome as exc:
        return SendResult("unknown", error=exc.message, error_code=exc.code)
    except RateLimited as exc:
        return SendResult.rate_limited(exc.message, retry_after=exc.retry_after)
    except OmniError as exc:
        return SendResult("rejected", error=exc.message, error_code=exc.code)
    except Exception as exc:  # around a request: where it broke off, nobody can say
        logger.exception("Adapter raised while sending.", extra={"effect_key": effect_key})
        return SendResult("unknown", error=f"{type(exc).__name__}: {exc}", error_code="error")


def _finish(row: OutboxMessage, result: SendResult) -> None:
    """What came of the call; unless it went well, an echo that was there first may say it did."""
    if result.status != "succeeded" and _is_told(row):
        return
    retry_later = result.status == "rejected" and result.retryable
    row.state = "not_sent" if retry_later else result.status
    row.provider_message_id = storable(result.provider_message_id)
    row.error, row.error_code = storable(result.error)[:2000], result.error_code[:64]
    row.answer, row.ended_at, row.resolution = storable(result.answer), DatabaseNow(), ""
    row.save(update_fields=["state", "provider_message_id", "error", "error_code", "answer",
                            "ended_at", "event", "resolution"])
    if row.state != "succeeded":
        _look_back(row)


def _is_told(row: OutboxMessage) -> bool:
    """Whether its echo was told from others while the call went on; holds the row."""
    stored = OutboxMessage.objects.select_for_update().get(pk=row.pk)
    if stored.resolution == "echo":
        _read_again(row)
    return stored.resolution == "echo"


def _look_back(row: OutboxMessage) -> None:
    if echoes.look_back([row.pk]):
        _read_again(row)


def _read_again(row: OutboxMessage) -> None:
    row.refresh_from_db(fields=["state", "resolution", "event", "provider_message_id"])


def _record_event(row: OutboxMessage, message: OutboundMessage, result: SendResult,
                  caused_by: Event | None) -> int | None:
    """The outbound event of a sent message; its echo, before or after, is the same event."""
    now = datetime.now(UTC)
    is_message = message.kind in _MESSAGE_KINDS
    message_id = result.provider_message_id if is_message else None
    ref = row.conversation.ref if row.conversation else message.to
    draft = EventDraft(
        event_type=_MESSAGE_KINDS.get(message.kind) or _EFFECT_KINDS[message.kind],
        dedup_key=f"m:{message_id}" if message_id else f"o:{row.effect_key}",
        provider_event_type=f"omni.send.{message.kind}", direction="outbound", source="api",
        from_me=True, auto_generated=caused_by is not None, conversation_ref=ref,
        conversation_aliases=_answered(row, message, result),
        provider_message_id=message_id, client_ref=row.effect_key,
        relation=_relation(message), target_message_id=message.target_message_id,
        text=message.text, media_kind=message.kind if message.media else None,
        delivery_status="sent" if is_message else None, occurred_at=now,
        thread_ref=message.thread_ref,
        content=message.content, context={"mentions": message.mentions} if message.mentions else {},
        attachments=_attachments(message), normalizer="omni.deliver@1")
    unit = Unit(
        instance_id=row.instance_id, provider=row.instance.provider, drafts=[draft],
        received_at=now, caused_by_id=caused_by.pk if caused_by else None,
        hop=caused_by.hop + 1 if caused_by else 0)
    if caused_by is not None:
        unit.trace_id = caused_by.trace_id
    stored = ingest.persist([unit])[0]
    return (stored.event_ids or stored.known_ids or [None])[0]


def _answered(row: OutboxMessage, message: OutboundMessage, result: SendResult) -> list[str]:
    if row.conversation is None:
        return []
    return other_names.answered(
        result.conversation_ref, message_id=result.provider_message_id, asked=message.to,
        instance=row.instance, conversation=row.conversation)


def _attachments(message: OutboundMessage) -> list[Attachment]:
    """The file of a sent message, where it was given by address; bytes are not kept."""
    if not message.media or not message.media.get("url"):
        return []
    return [Attachment(kind=message.kind, mime=message.media.get("mime"),
                       filename=message.media.get("filename"), source_url=message.media["url"])]


_MESSAGE_KINDS = {kind: f"message.{kind}" for kind in (
    "text", "image", "audio", "video", "document", "sticker", "location", "contact", "poll")}
_EFFECT_KINDS = {"reaction": "message.reaction", "edit": "message.edited",
                 "delete": "message.deleted", "presence": "presence.typing",
                 "read": "conversation.read"}
_RELATIONS = {"reaction": "reacts_to", "edit": "replaces", "delete": "deletes"}


def _relation(message: OutboundMessage) -> str:
    if message.kind in _RELATIONS:
        return _RELATIONS[message.kind]
    return "replies_to" if message.quote and message.target_message_id else ""


def _delivered(row: OutboxMessage, *, retryable: bool = False, retry_after: float | None = None,
               duplicate: bool = False) -> Delivered:
    return Delivered(state=row.state, outbox_id=row.pk, event_id=row.event_id, error=row.error,
                     provider_message_id=row.provider_message_id, error_code=row.error_code,
                     retryable=retryable, retry_after=retry_after, duplicate=duplicate)


def resolve(row: OutboxMessage, resolution: str, *, actor: str) -> None:
    """A person says what became of an unknown send: person_sent or person_not_sent."""
    if resolution not in _RESOLUTIONS:
        raise InvalidInput(f"resolution must be one of {', '.join(_RESOLUTIONS)}")
    changed = OutboxMessage.objects.filter(pk=row.pk, state="unknown").update(
        state=_RESOLUTIONS[resolution], resolution=resolution)
    if not changed:
        raise InvalidInput("this send is not unknown any more", code="stale")
    audit.note(actor, "send.resolved", f"outbox:{row.pk}", resolution=resolution)


def send_again(row: OutboxMessage, *, actor: str) -> Delivered:
    """A person sends an unknown or failed message again, under a new effect key."""
    if row.state in ("sending", "succeeded"):
        raise InvalidInput(f"this send is {row.state}; nothing to send again", code="stale")
    if row.resolution == AGAIN:
        raise InvalidInput("this send was sent again already; look at what became of that one",
                           code="stale")
    if row.kind not in _MESSAGE_KINDS and row.kind not in _EFFECT_KINDS:
        raise InvalidInput(f"only messages can be sent again, not {row.kind}; rerun its run")
    if (row.request.get("media") or {}).get("base64"):
        raise InvalidInput("the file's bytes were not kept; send the message anew")
    base = row.effect_key.split(":again:")[0]
    number = OutboxMessage.objects.filter(effect_key__startswith=f"{base}:again:").count() + 1
    audit.note(actor, "send.repeated", f"outbox:{row.pk}", number=number)
    outcome = send(OutboundMessage(**{"to": row.recipient, **row.request, "kind": row.kind}),
                   instance=row.instance, effect_key=f"{base}:again:{number}",
                   caused_by=row.caused_by, run_id=row.run_id)
    OutboxMessage.objects.filter(pk=row.pk, resolution="").exclude(state="succeeded").update(
        resolution=AGAIN)
    return outcome
