"""REST: sending one message, at most once per `Idempotency-Key`."""

import math
import re
import uuid
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connections.access import Principal
from connections.envelope import OutboundMessage
from connections.models import Instance
from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, Conflict, conflict_when
from events.api.serializers import OutboxSerializer
from events.models import OutboxMessage
from events.outbox import attempts, deliver
from events.outbox.attempts import Delivered
from omni.api import StrictFieldsMixin, problem

KINDS = ("text", "image", "audio", "video", "document", "sticker", "location", "contact", "poll",
         "reaction", "edit", "delete")
_FILE_KINDS = {"image": "image", "audio": "audio", "video": "video"}  # first part of a media type
IN_FLIGHT = timedelta(minutes=2)  # longer than any provider call takes
_KEY = re.compile(r"[\x20-\x7e]{1,200}")
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER,
    description="1 to 200 printable characters. The same key with the same body sends nothing "
                "and answers as before; with another body it is refused.")


class MediaSerializer(StrictFieldsMixin, serializers.Serializer):
    """A file to send: at an address, or in the request itself."""

    url = serializers.URLField(max_length=2000, required=False)
    base64 = serializers.CharField(required=False, trim_whitespace=False)
    mime = serializers.CharField(max_length=200, required=False)
    filename = serializers.CharField(max_length=255, required=False)
    voice = serializers.BooleanField(required=False)

    def validate(self, media: dict[str, Any]) -> dict[str, Any]:
        if ("url" in media) == ("base64" in media):
            raise ValidationError("give exactly one of url and base64")
        return media


class MessageSerializer(StrictFieldsMixin, serializers.Serializer):
    """A message in neutral words (`OutboundMessage`). kind: told from media and text when absent.

    target_message_id: what a quote, reaction, edit or deletion is about. content: by kind, for
    location, contact, poll and reaction.
    """

    instance = serializers.CharField(max_length=63, help_text="Slug.")
    to = serializers.CharField(max_length=500, help_text="A conversation or a handle, as the "
                               "provider knows it.")
    kind = serializers.ChoiceField(choices=KINDS, required=False)
    text = serializers.CharField(max_length=65_536, required=False, trim_whitespace=False)
    media = MediaSerializer(required=False)
    quote = serializers.BooleanField(default=False)
    target_message_id = serializers.CharField(max_length=500, required=False)
    target_from_me = serializers.BooleanField(default=False)
    mentions = serializers.ListField(child=serializers.CharField(max_length=190), required=False,
                                     max_length=1000)
    mention_everyone = serializers.BooleanField(default=False)
    content = serializers.DictField(required=False)
    thread_ref = serializers.CharField(max_length=500, required=False)

    def validate(self, wish: dict[str, Any]) -> dict[str, Any]:
        wish["kind"] = kind = wish.get("kind") or _kind_of(wish)
        missing = {}
        if kind in ("text", "edit") and not wish.get("text"):
            missing["text"] = f"a message of kind {kind} needs it"
        if kind in ("image", "audio", "video", "document", "sticker") and "media" not in wish:
            missing["media"] = f"a message of kind {kind} needs it"
        if kind in ("location", "contact", "poll", "reaction") and "content" not in wish:
            missing["content"] = f"a message of kind {kind} needs it"
        if (kind in ("reaction", "edit", "delete") or wish["quote"]) and not wish.get(
                "target_message_id"):
            missing["target_message_id"] = "names the message this one is about"
        if missing:
            raise ValidationError(missing)
        return wish


def _kind_of(wish: dict[str, Any]) -> str:
    if "media" not in wish:
        return "text"
    return _FILE_KINDS.get(wish["media"].get("mime", "").split("/")[0], "document")


class IdempotencyMismatch(APIException):
    status_code = 422
    default_code = "idempotency_mismatch"
    default_detail = "this Idempotency-Key was used with another body"


class SendView(APIView):
    """Send one message through an instance."""

    scope = write_scope = "send"

    @extend_schema(
        operation_id="messages_send", request=MessageSerializer, parameters=[IDEMPOTENCY],
        responses={201: OutboxSerializer, 202: OutboxSerializer}, description=(
            "201: the provider took it. 202: it may have been sent and nobody knows yet; it is "
            "not repeated by itself. 422: the provider refused it, or the Idempotency-Key was "
            "used with another body. 503: nothing was sent; try again. 409: the first request "
            "with this key has not ended."))
    def post(self, request: Request) -> Response:
        wish = MessageSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        who = principal(request)
        key = effect_key(request, who)
        instance = _sending_instance(wish.validated_data.pop("instance"), who)
        message = OutboundMessage(**wish.validated_data, client_ref=key)
        _check_earlier(outbox().filter(effect_key=key).first(), message, instance)
        with conflict_when("in_flight", attempts.INSTANCE_OFF):
            delivered = deliver.send(message, instance=instance, effect_key=key)
        row = outbox().get(pk=delivered.outbox_id)
        _check_same(row, message, instance)
        return answer(row, delivered)


def outbox() -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.select_related("instance").defer(*INSTANCE_UNREAD)


def effect_key(request: Request, who: Principal) -> str:
    """The name of this act: the caller's own key, or a new one that never comes again."""
    given = request.headers.get("idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        raise ValidationError(
            {"Idempotency-Key": "1 to 200 printable characters of ASCII"})
    return f"api:{who.kind}:{who.id}:{given or uuid.uuid4()}"


def _sending_instance(slug: str, who: Principal) -> Instance:
    instance = Instance.objects.visible_to(who).filter(slug=slug).first()
    if instance is None:
        raise NotFound()
    if instance.archived_at is not None:
        raise Conflict(f"instance '{slug}' is archived", code="instance_archived")
    return instance


def _check_earlier(row: OutboxMessage | None, message: OutboundMessage,
                   instance: Instance) -> None:
    """An earlier request with this key. Raises IdempotencyMismatch, or Conflict while it runs."""
    if row is None:
        return
    _check_same(row, message, instance)
    recent = timezone.now() - IN_FLIGHT
    if row.state == "sending" and row.started_at is not None and row.started_at > recent:
        raise Conflict("the first request with this Idempotency-Key has not ended",
                       code="in_flight")


def _check_same(row: OutboxMessage, message: OutboundMessage, instance: Instance) -> None:
    asked = attempts.request_hash(message.kind, message.to, attempts.request_of(message))
    if row.instance_id != instance.pk or row.request_hash != asked:
        raise IdempotencyMismatch()


def answer(row: OutboxMessage, delivered: Delivered) -> Response:
    """The outcome of a send as HTTP; Location names the row of the outbox."""
    headers = {"Location": f"/api/v1/outbox/{row.pk}/"}
    if delivered.duplicate:
        headers["Idempotency-Replayed"] = "true"
    if row.state == "rejected":
        return problem(422, row.error or "the provider refused the message",
                       code=row.error_code or "rejected", headers=headers)
    if row.state == "not_sent":
        wait = delivered.retry_after or 5
        return problem(503, row.error or "nothing was sent; try again",
                       code=row.error_code or "not_sent",
                       headers={**headers, "Retry-After": str(math.ceil(wait))})
    status = 202 if row.state == "unknown" else 201
    return Response(OutboxSerializer(row).data, status=status, headers=headers)
