"""The documented front door: DRF, for handshakes, GETs and hosts that speak WSGI."""

from concurrent.futures import TimeoutError as Late
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from django.http.request import UnreadablePostError
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from connections.adapter import Answer, Delivery
from events.door.admission import Admitted, admit, announced, error, refuse, try_later
from events.door.body_budget import budget
from events.door.receive import proven_as_sent, take_in
from omni.web.peer import peer_of

COMMIT_SECONDS = 25.0


class WebhookView(APIView):
    """What a provider sends to `/webhooks/<provider>/<instance>/[tail]`.

    Answers 202 when something new was stored, 200 for what is known or kept as a dead letter,
    401 without proof, 404 for an unknown address, 503 with Retry-After when nothing could be kept.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()

    @extend_schema(exclude=True)
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._take(request, **kwargs)

    def _take(self, request: Any, provider: str, slug: str, tail: str = "") -> HttpResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        head = Delivery(
            body=b"", headers=headers,
            method=request.method, path=tail.strip("/"), query=request.META.get("QUERY_STRING", ""),
            url=settings.OMNI_PUBLIC_URL + request.get_full_path(),
            received_at=datetime.now(UTC), peer=peer_of(
                request.META.get("REMOTE_ADDR", ""), headers.get("x-forwarded-for", "")))
        admitted = admit(head, provider=provider, slug=slug, size=announced(headers))
        return to_response(admitted if isinstance(admitted, Answer)
                           else self._read(request, head, admitted))

    def _read(self, request: Any, head: Delivery, admitted: Admitted) -> Answer:
        with budget.share(unproven_of=admitted.unproven_of) as share:
            if not share.take(announced(head.headers) or 0):
                return try_later("too many bodies are in flight")
            body = _body_of(request, head, admitted)
            if isinstance(body, Answer):
                return body
            delivery = replace(head, body=body)
            answer = share.until(take_in(delivery, proven_as_sent(delivery, admitted), share))
        try:
            return answer.result(COMMIT_SECONDS)
        except Late:
            return try_later("not committed in time")


def _body_of(request: Any, head: Delivery, admitted: Admitted) -> bytes | Answer:
    try:
        return request.body
    except RequestDataTooBig:
        return refuse(head, 413, "too_large", admitted.address)
    except (UnreadablePostError, ValueError):  # cut off, or a length that is no number
        return error(400, "unreadable", "the body did not arrive whole")


def to_response(answer: Answer) -> HttpResponse:
    """An adapter's answer as Django's."""
    body, content_type = answer.encoded()
    response = HttpResponse(body, status=answer.status, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    for name, value in answer.headers.items():
        response[name] = value
    return response
