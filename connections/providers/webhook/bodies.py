"""Picks the reading of a body by its content type; what nobody reads stays bytes."""

import re

from connections import charsets
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

    Texts are read in the charset the sender declares; without one JSON and forms are UTF-8. Raises
    Unparsable: an empty body, and JSON or a form that is broken although the content type promises
    it.
    """
    kind = media_type(delivery.content_type)
    if not delivery.body.strip():
        return _without_body(delivery)
    charset = charsets.declared(delivery.content_type)
    if _JSON.fullmatch(kind):
        return parse_json(delivery.body, charset=charset)
    if kind == FORM:
        return parse_form(delivery.body, charset=charset)
    if kind == MULTIPART:
        return multipart.parse(delivery.body, delivery.content_type)
    if _NEVER_PARSED.fullmatch(kind):
        return _as_bytes(delivery)
    return _json_or_bytes(delivery, charset)


def _without_body(delivery: Delivery) -> Parsed:
    if cloudevents.is_binary(delivery.headers):
        return Parsed(None)
    if delivery.query:
        return parse_form(delivery.query.encode("utf-8", "replace"))
    raise Unparsable("empty")


def _json_or_bytes(delivery: Delivery, charset: str) -> Parsed:
    """Many senders post JSON as text/plain or without a type. A lone NaN is a word, no number."""
    try:
        found = parse_json(delivery.body, charset=charset)
    except Unparsable as exc:
        if exc.code in ("bad_json", "bad_utf8"):
            return _as_bytes(delivery)
        raise
    return _as_bytes(delivery) if found.value is None and found.flags else found


def _as_bytes(delivery: Delivery) -> Parsed:
    """The bytes themselves, flagged when their charset had to be guessed."""
    return Parsed(delivery.body, charsets.text_of(delivery.body, delivery.content_type)[1])
