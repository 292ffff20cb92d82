"""The outbox: everything that goes out, at most once per effect key.

The attempt is committed before the call and the outcome after it (`attempts`). An `unknown` is
settled by the provider's echo (`echoes`) or by a person (`settling`).
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction

from connections.envelope import OutboundMessage, SendResult
from connections.http.client import Client
from connections.models import Instance, why_off
from connections.storable import storable
from events.models import Conversation, Event
from events.outbox import attempts, destinations, finishing, intents, limits, sent_events
from events.outbox.attempts import INSTANCE_OFF, Delivered
from events.store import notify
from omni import failpoints
from omni.errors import Held, InvalidInput, NotSent, OmniError, RateLimited, UnknownOutcome

logger = logging.getLogger("omni.events")
_WORDS = ("to", "text", "content", "mentions", "target_message_id", "thread_ref")


def send(message: OutboundMessage, *, instance: Instance, effect_key: str,
         conversation: Conversation | None = None, caused_by: Event | None = None,
         run_id: int | None = None, before: intents.Before | None = None) -> Delivered:
    """Send one message through the instance's adapter, once per effect key.

    Without a conversation it goes to the one of its address, which is found or made. A sent message
    becomes an outbound event of source `api` with the effect key as client_ref, so that the
    provider's echo finds it. before: what a run writes with it (`intents`). Raises InvalidParams
    when the instance is not set up, InvalidInput with code `instance_off` when it may send nothing,
    for a run what `limits.refuse` raises, and what `before` raises, and Held while too many calls
    to the same host are under way.
    """
    for name in _WORDS:
        setattr(message, name, storable(getattr(message, name)))
    message.client_ref = effect_key
    account = instance.account()
    adapter = instance.adapter
    request = attempts.request_of(message)
    if conversation is None:
        message, conversation = _addressed(message, instance)
    conversation = conversation.merged_into or conversation
    recipient = conversation.ref  # the same for every spelling of an address
    if run_id is not None:
        Client(adapter.send_address(account)).reserve()
    asked = None if run_id is None else limits.asked(
        instance_id=instance.pk, recipient=recipient, run_id=run_id, effect_key=effect_key,
        answers=limits.is_answer(caused_by, instance_id=instance.pk, recipient=recipient,
                                 conversation_id=conversation.pk))

    def call(_: str) -> SendResult:
        return adapter.send(message, account)

    return _once(call, instance=instance, effect_key=effect_key, kind=message.kind,
                 recipient=recipient, request=request, conversation=conversation,
                 caused_by=caused_by, run_id=run_id, message=message, asked=asked, before=before,
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
            caused_by: Event | None = None, run_id: int | None = None,
            before: intents.Before | None = None) -> Delivered:
    """Any other outward act, once per effect key; `call` is given the key to pass on.

    before: what a run writes with it (`intents`). Raises InvalidInput with code `instance_off` when
    the instance may send nothing, and what `before` raises.
    """
    return _once(call, instance=instance, effect_key=effect_key, kind=kind,
                 recipient=storable(recipient), request=storable(request), caused_by=caused_by,
                 run_id=run_id, before=before)


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


def _once(call: Callable[[str], SendResult], *, instance: Instance, effect_key: str, kind: str,
          recipient: str, request: dict[str, Any], conversation: Conversation | None = None,
          caused_by: Event | None = None, run_id: int | None = None,
          message: OutboundMessage | None = None, may_repeat: bool = False,
          asked: Sequence[Any] | None = None,
          before: intents.Before | None = None) -> Delivered:
    row, earlier = attempts.begin(
        instance=instance, effect_key=effect_key, kind=kind, recipient=recipient, request=request,
        conversation=conversation, caused_by=caused_by, run_id=run_id, may_repeat=may_repeat,
        asked=asked, before=before)
    if earlier is not None:
        return earlier
    failpoints.hit("attempt.committed")
    result = _called(call, effect_key)
    failpoints.hit("call.answered")
    unit = None
    if message is not None and result.status == "succeeded":
        unit = sent_events.unit_of(row, message, result, caused_by)
    if not finishing.at_once(row, result, unit):
        with transaction.atomic():
            if unit is not None:
                row.event_id = sent_events.record(unit)
            attempts.finish(row, result)
    failpoints.hit("outcome.committed")
    if result.error_code == Held.code and run_id is not None:
        raise Held(result.error, retry_after=result.retry_after or 0.0)
    if message is not None:
        notify.notifier.send(notify.EVENTS)  # its echo may have waited for this
    return attempts.delivered(
        row, retry_after=result.retry_after,
        retryable=row.state == "not_sent" or (may_repeat and row.state == "unknown"))


def _called(call: Callable[[str], SendResult], effect_key: str) -> SendResult:
    """The call, with every error as an outcome: what is not known to be harmless is unknown."""
    try:
        return call(effect_key)
    except NotSent as exc:
        return SendResult("not_sent", error=exc.message, error_code=exc.code, retryable=True)
    except Held as exc:
        return SendResult("not_sent", error=exc.message, error_code=exc.code, retryable=True,
                          retry_after=exc.retry_after)
    except UnknownOutcome as exc:
        return SendResult("unknown", error=exc.message, error_code=exc.code)
    except RateLimited as exc:
        return SendResult.rate_limited(exc.message, retry_after=exc.retry_after)
    except OmniError as exc:
        return SendResult("rejected", error=exc.message, error_code=exc.code)
    except Exception as exc:  # around a request: where it broke off, nobody can say
        logger.exception("Adapter raised while sending.", extra={"effect_key": effect_key})
        return SendResult("unknown", error=f"{type(exc).__name__}: {exc}", error_code="error")
