"""The documented front door: DRF, for handshakes, GETs and hosts that speak WSGI."""

from concurrent.futures import TimeoutError as Late
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
from events.receive import receive, too_large

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
        try:
            body = request.body
        except RequestDataTooBig:
            return to_response(too_large(headers, provider=provider, slug=slug))
        except (UnreadablePostError, ValueError):  # cut off, or a length that is no number
            return to_response(Answer(400, {"error": {
                "code": "unreadable", "message": "the body did not arrive whole"}}))
        delivery = Delivery(
            body=body, headers=headers,
            method=request.method, path=tail.strip("/"), query=request.META.get("QUERY_STRING", ""),
            url=settings.OMNI_PUBLIC_URL + request.get_full_path(),
            received_at=datetime.now(UTC))
        try:
            answer = receive(delivery, provider=provider, slug=slug).result(COMMIT_SECONDS)
        except Late:
            answer = Answer(503, {"error": {"code": "unavailable", "message": "send it again"}},
                            {"Retry-After": "5"})
        return to_response(answer)


def to_response(answer: Answer) -> HttpResponse:
    """An adapter's answer as Django's."""
    body, content_type = answer.encoded()
    response = HttpResponse(body, status=answer.status, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    for name, value in answer.headers.items():
        response[name] = value
    return response
