"""How a generic sender proves itself, and what bodies it may send."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from pydantic import ValidationError

from connections import library
from connections.adapter import Account, Delivery
from connections.envelope import Place
from connections.payload import Unparsable
from connections.providers.webhook.config import Credentials, Settings
from omni.errors import SignatureMismatch

NOW = datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)
BODY = b'{"a":1}'


def account(settings=None, **credentials) -> Account:
    return Account("shop", "webhook", Settings(**settings or {}), Credentials(**credentials))


def verify(owner, *, body=BODY, **headers) -> str:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return library.get("webhook").verify(Delivery(body=body, headers=names), owner, now=NOW)


def hub(secret: str, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def test_a_token_in_the_header_is_proof():
    proof = verify(account(token="s3cret"), x_webhook_token="s3cret")

    assert proof == "header x-webhook-token key 1"


def test_the_previous_token_still_proves():
    owner = account(token="new", previous_token="old")

    assert verify(owner, x_webhook_token="old").endswith("key 2")


def test_a_bearer_token_may_be_the_token():
    owner = account({"token_header": "Authorization"}, token="s3cret")

    assert verify(owner, authorization="Bearer s3cret")


@pytest.mark.parametrize("headers", [
    {}, {"x_webhook_token": ""}, {"x_webhook_token": "S3cret"}, {"x_webhook_token": "s3cret "},
    {"x_webhook_token": "\u00e9"}])
def test_another_token_is_refused(headers):
    with pytest.raises(SignatureMismatch):
        verify(account(token="s3cret"), **headers)


@pytest.mark.parametrize("verification", ["header_token", "hub_signature", "standard_webhooks"])
def test_without_a_configured_secret_nobody_gets_in(verification):
    owner = account({"verification": verification})

    with pytest.raises(SignatureMismatch):
        verify(owner, x_webhook_token="", x_hub_signature_256=hub(""))


def test_a_hub_signature_is_proof():
    owner = account({"verification": "hub_signature"}, secret="It's a Secret to Everybody")
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    proof = verify(owner, body=b"Hello, World!", x_hub_signature_256=published)

    assert proof == "hub-signature key 1"


def test_a_hub_signature_of_the_previous_secret_still_proves():
    owner = account({"verification": "hub_signature"}, secret="new", previous_secrets=["old"])

    assert verify(owner, x_hub_signature_256=hub("old")).endswith("key 2")


@pytest.mark.parametrize("signature", [
    "", hub("other"), hub("key", b"other"), hub("key").removeprefix("sha256="),
    hub("key").replace("sha256", "sha1"), hub("key").upper(), "sha256=\u00e9"])
def test_other_hub_signatures_are_refused(signature):
    with pytest.raises(SignatureMismatch):
        verify(account({"verification": "hub_signature"}, secret="key"),
               x_hub_signature_256=signature)


def test_unsigned_senders_need_two_switches():
    with pytest.raises(ValidationError, match="allow_unsigned"):
        Settings(verification="none")

    assert verify(account({"verification": "none", "allow_unsigned": True})) == "unsigned"


def test_credentials_do_not_show_in_their_repr():
    shown = repr(Credentials(token="tok-1", secret="sec-1", previous_secrets=["sec-0"]))

    assert not any(word in shown for word in ("tok-1", "sec-1", "sec-0"))


def parse(body: bytes, content_type: str = "", query: str = ""):
    headers = {"content-type": content_type} if content_type else {}
    delivery = Delivery(body=body, headers=headers, query=query)
    return library.get("webhook").parse(delivery, account()).value


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json; charset=utf-7", "application/vnd.x+json", "text/plain",
    "", "text/plain; charset=bogus", "APPLICATION/JSON", "application/octet-stream"])
def test_json_is_read_whatever_it_is_called(content_type):
    assert parse(BODY, content_type) == {"a": 1}


def test_broken_json_that_is_called_json_is_unparsable():
    with pytest.raises(Unparsable) as caught:
        parse(b'{"a":', "application/json")

    assert caught.value.code == "bad_json"


@pytest.mark.parametrize("content_type", ["", "text/plain"])
@pytest.mark.parametrize("body", [b'{"a":', b"hello", b"\xff\xfe"])
def test_what_only_looked_like_json_stays_bytes(body, content_type):
    assert parse(body, content_type) == body


@pytest.mark.parametrize("content_type", ["application/xml", "text/xml", "application/atom+xml"])
def test_xml_is_never_parsed(content_type):
    body = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'

    assert parse(body, content_type) == body


def test_a_form_becomes_its_fields():
    assert parse(b"a=1&b=2", "application/x-www-form-urlencoded") == {"a": "1", "b": "2"}


def test_a_query_without_a_body_becomes_its_fields():
    assert parse(b"", query="alarm=on&zone=3") == {"alarm": "on", "zone": "3"}


def test_nothing_at_all_is_empty():
    with pytest.raises(Unparsable) as caught:
        parse(b" ", "application/json")

    assert caught.value.code == "empty"


@pytest.mark.parametrize(("to", "place"), [
    ("+55 (11) 94444-3333", Place("+5511944443333", "direct")),
    (" +5511944443333 ", Place("+5511944443333", "direct")),
    ("ana@example.org", Place("ana@example.org", "direct")),
    ("5511944443333", Place("5511944443333")), ("#ops", Place("#ops")), ("+1", Place("+1"))])
def test_address_of_a_person_is_a_direct_chat(to, place):
    owner = account({"mapping": {"sender": "from"}})

    assert library.get("webhook").place_of(to, owner) == place


@pytest.mark.parametrize("more", [{}, {"mapping": {"conversation": "chat.id"}}])
def test_kind_of_a_place_is_open_where_places_come_from_elsewhere(more):
    assert library.get("webhook").place_of("+5511944443333", account(more)).kind == ""
