"""Picks the reading of a body by its content type; what nobody reads stays bytes."""

import re

from connections.adapter import Delivery
from connections.payload import Parsed, Unparsable, parse_form, parse_json
from connections.providers.webhook import cloudevents, multipart

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_JSON = re.compile(r"(?:application|text)/(?:[a-z0-9.+_-]+\+)?json")
_NEVER_PARSED = re.compile(r"(?:application|text)/(?:[a-z0-9.+_-]+\+)?(?:xml|html)")


def media_type(content_type: str) -> str:
    """The type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_form(content_type: str) -> bool:
    return media_type(content_type) in (FORM, MULTIPART)


def parse(delivery: Delivery) -> Parsed:
    """Data where the body says it is data, bytes otherwise; a query without a body is a form.

    Charsets are ignored: JSON and forms are UTF-8. Raises Unparsable: an empty body, and JSON or a
    form that is broken although the content type promises it.
    """
    kind = media_type(delivery.content_type)
    if not delivery.body.strip():
        return _without_body(delivery)
    if _JSON.fullmatch(kind):
        return parse_json(delivery.body)
    if kind == FORM:
        return parse_form(delivery.body)
    if kind == MULTIPART:
        return multipart.parse(delivery.body, delivery.content_type)
    if _NEVER_PARSED.fullmatch(kind):
        return Parsed(delivery.body)
    return _json_or_bytes(delivery.body)


def _without_body(delivery: Delivery) -> Parsed:
    if cloudevents.is_binary(delivery.headers):
        return Parsed(None)
    if delivery.query:
        return parse_form(delivery.query.encode("utf-8", "replace"))
    raise Unparsable("empty")


def _json_or_bytes(body: bytes) -> Parsed:
    """Many senders post JSON as text/plain or without a type."""
    try:
        return parse_json(body)
    except Unparsable as exc:
        if exc.code in ("bad_json", "bad_utf8"):
            return Parsed(body)
        raise
