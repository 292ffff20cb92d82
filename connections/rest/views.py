"""What the REST views of every app share: strict JSON bodies, rows a caller may see, conflicts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from connections.access import Principal
from connections.payload import Unparsable, parse_json
from connections.rest.authentication import principal
from omni.errors import OmniError

# A list that names the instance of each row joins it without what is secret or long.
INSTANCE_UNREAD = ("instance__credentials", "instance__settings")


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "the body is too large"


class Conflict(exceptions.APIException):
    """409: the request was fine, the state of things is not. code: stable machine word."""

    status_code = 409

    def __init__(self, detail: str, *, code: str = "conflict") -> None:
        super().__init__(detail)
        self.default_code = code


class BodyParser(BaseParser):
    """Reads a body up to OMNI_WEBHOOK_MAX_BYTES."""

    def read(self, stream: Any) -> bytes:
        limit = settings.OMNI_WEBHOOK_MAX_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
        return body


class StrictJSONParser(BodyParser):
    """JSON as RFC 8259 has it; what would have to be repaired or guessed is a 400.

    Refuses duplicate keys, NaN, NUL characters, lone surrogates, numbers no column can hold and
    bodies nested too deep or too wide (`connections.payload`).
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            parsed = parse_json(self.read(stream))
        except Unparsable as exc:
            raise exceptions.ParseError(exc.message) from exc
        if parsed.flags:
            raise exceptions.ParseError(
                "the body has duplicate keys, or characters or numbers that cannot be stored: "
                + ", ".join(sorted(parsed.flags)))
        return parsed.value


class VisibleRows:
    """A generic view whose rows are those its caller may see; the others do not exist for it."""

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(principal(self.request))


def need_every_instance(who: Principal) -> None:
    """Things that belong to no instance are changed only by callers who see all of them.

    Raises PermissionDenied (403).
    """
    if who.instance_ids is not None:
        raise exceptions.PermissionDenied(
            "this concerns every instance; your grants name single ones")


def need_right_to_place(request: Request) -> None:
    """Asked before a body is validated, so that an answer about a taken name is given to nobody
    who may not write it: a row without an instance is one of every instance.

    Raises PermissionDenied (403).
    """
    if isinstance(request.data, Mapping) and not request.data.get("instance"):
        need_every_instance(principal(request))


def merged(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`old` with the keys of `patch`; null removes a key. Source: RFC 7396, one level deep."""
    return {name: value for name, value in {**old, **patch}.items() if value is not None}


@contextmanager
def conflict_when(*codes: str) -> Iterator[None]:
    """Errors of ours with one of `codes` become 409."""
    try:
        yield
    except OmniError as exc:
        if exc.code in codes:
            raise Conflict(exc.message, code=exc.code) from exc
        raise
