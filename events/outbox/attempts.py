"""One effect's row in the outbox: its attempt, committed before the call, and what came of it.

A crash in between leaves a `sending` row; whoever meets it next writes `unknown` and never sends
again by itself, unless the adapter says that the other side honours our keys.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from connections.envelope import OutboundMessage, SendResult
from connections.models import Instance, why_off
from connections.storable import storable
from events.models import Conversation, Event, OutboxMessage
from events.outbox import echoes, intents, interrupted, limits
from omni.clock import DatabaseNow
from omni.errors import InvalidInput

ONE_PROCESS = uuid.uuid4().hex  # a `sending` row of another process was interrupted
IN_FLIGHT = timedelta(seconds=interrupted.AFTER_SECONDS)
INSTANCE_OFF = "instance_off"
_SETTLED = ("succeeded", "rejected", "unknown")


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


def begin(*, instance: Instance, effect_key: str, kind: str, recipient: str,
          request: dict[str, Any], conversation: Conversation | None, caused_by: Event | None,
          run_id: int | None, may_repeat: bool, asked: Sequence[Any] | None = None,
          before: intents.Before | None = None) -> tuple[OutboxMessage, Delivered | None]:
    """Commit the attempt; or say what became of an earlier one. may_repeat: also an unknown one.

    asked, before: see `intents.begin`. Raises InvalidInput with code `instance_off` when there is
    none, and there may be none now; what `limits.refuse` raises; and what `before` raises.
    """
    request = storable(request)
    hashed = request_hash(kind, request.get("to", recipient), request)  # as it was asked for
    row = OutboxMessage(
        instance=instance, conversation=conversation, effect_key=effect_key, kind=kind,
        recipient=recipient, request=request, request_hash=hashed, state="sending", attempts=1,
        token=ONE_PROCESS, run_id=run_id, caused_by=caused_by)
    begun = intents.begin(row, asked=asked, before=before)
    if begun.outbox_id is not None:
        row.pk, row.started_at = begun.outbox_id, begun.started_at
        row._state.adding, row._state.db = False, connection.alias
        return row, None
    off = "" if begun.is_on else why_off(instance.pk)
    if off and not begun.is_known:
        raise InvalidInput(off, code=INSTANCE_OFF)
    limits.refuse(begun.verdict, seconds=begun.seconds, runs=begun.runs)
    return _again(row, off=off, may_repeat=may_repeat)


def _again(asked: OutboxMessage, *, off: str,
           may_repeat: bool) -> tuple[OutboxMessage, Delivered | None]:
    """What became of an effect that was begun before, or its next attempt."""
    now = timezone.now()
    with transaction.atomic():
        row = OutboxMessage.objects.select_for_update().get(effect_key=asked.effect_key)
        if row.state == "sending":
            if _is_in_flight(row, now):
                raise InvalidInput(f"effect '{row.effect_key}' is being sent", code="in_flight")
            row.state, row.error_code = "unknown", "interrupted"
            row.error = interrupted.REASON
            row.ended_at = DatabaseNow()
            row.save(update_fields=["state", "error", "error_code", "ended_at"])
            _look_back(row)
        if row.state in _SETTLED and not (may_repeat and row.state == "unknown"):
            return row, delivered(row, duplicate=True)
        if off:
            raise InvalidInput(off, code=INSTANCE_OFF)
        row.state, row.token, row.started_at = "sending", ONE_PROCESS, DatabaseNow()
        row.attempts += 1
        row.conversation = row.conversation or asked.conversation
        row.recipient = asked.recipient
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


def finish(row: OutboxMessage, result: SendResult) -> None:
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


def delivered(row: OutboxMessage, *, retryable: bool = False, retry_after: float | None = None,
              duplicate: bool = False) -> Delivered:
    return Delivered(state=row.state, outbox_id=row.pk, event_id=row.event_id, error=row.error,
                     provider_message_id=row.provider_message_id, error_code=row.error_code,
                     retryable=retryable, retry_after=retry_after, duplicate=duplicate)
