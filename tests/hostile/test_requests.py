"""Odd requests around a body: content types, encodings, headers, addresses; never a 5xx."""

import gzip
import json
import tracemalloc

import pytest

from events.models import Event, RawPayload
from tests.hostile.front_door import kept, make_shop, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_shop()


@pytest.mark.parametrize("content_type", [
    "text/plain", "", "application/octet-stream", "application/json; charset=utf-7",
    "application/json; charset=base64", "application/json; charset=bogus", "a" * 5_000,
    "application/vnd.api+json", "APPLICATION/JSON", "application/json; charset"])
def test_json_is_read_whatever_its_content_type_says(client, shop, content_type):
    body = b'{"id": "1", "text": "h\xc3\xa9"}'

    answer = post(client, body, content_type)

    assert answer.status_code == 202, answer.content
    kept(body)
    assert Event.objects.get().text == "hé"


XML = (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">'
       b'<!ENTITY y "&x;&x;">]><a>&y;</a>')


@pytest.mark.parametrize("content_type", ["application/xml", "text/xml", "application/soap+xml",
                                          "text/html", "text/plain", "image/svg+xml"])
def test_markup_is_kept_and_never_parsed(client, shop, content_type):
    answer = post(client, XML, content_type)

    assert answer.status_code == 202
    kept(XML)
    assert "root:" not in json.dumps(Event.objects.get().content)


FORMS = {
    "2,000 fields": (b"&".join(b"a%d=1" % n for n in range(2_000)),
                     "application/x-www-form-urlencoded", "too_many_nodes"),
    "no boundary": (b"--x\r\n\r\n", "multipart/form-data", "bad_form"),
    "other boundary": (b"--x\r\n\r\n", "multipart/form-data; boundary=y", "bad_form"),
    "cut short": (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nab',
                  "multipart/form-data; boundary=x", "bad_form"),
}


@pytest.mark.parametrize(("body", "content_type", "reason"), FORMS.values(), ids=list(FORMS))
def test_broken_form_is_a_dead_letter(client, shop, body, content_type, reason):
    answer = post(client, body, content_type)

    assert (answer.status_code, answer.json()["reason"]) == (200, reason)
    kept(body)


WEST = "Olá – 5 €"


@pytest.mark.parametrize(("body", "content_type"), [
    (b"id=1&text=" + WEST.replace(" ", "+").encode("cp1252"), "application/x-www-form-urlencoded"),
    (b"id=1&text=Ol%E1+%96+5+%80", "application/x-www-form-urlencoded"),
    (b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + WEST.encode("cp1252")
     + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")])
def test_form_in_windows_1252_is_read_although_it_does_not_say_so(client, shop, body,
                                                                  content_type):
    answer = post(client, body, content_type)

    assert answer.status_code == 202
    kept(body)
    assert Event.objects.get().text == WEST
    assert RawPayload.objects.get().flags == ["charset_guessed"]


def test_json_that_is_no_utf8_is_kept_whole_as_a_dead_letter(client, shop):
    body = b'{"text": "Ol\xe1"}'

    answer = post(client, body, "application/json")

    assert (answer.status_code, answer.json()["reason"]) == (200, "bad_utf8")
    kept(body)


@pytest.mark.parametrize(("body", "content_type", "status"), [
    (b"text=a%00b&id=1", "application/x-www-form-urlencoded", 202),
    (b"&&&==&=", "application/x-www-form-urlencoded", 202),
    (b"text", "application/x-www-form-urlencoded", 202)])
def test_odd_form_is_an_event(client, shop, body, content_type, status):
    assert post(client, body, content_type).status_code == status
    kept(body)


def test_body_over_the_cap_is_refused_and_nothing_is_kept(client, shop, settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1_000

    assert post(client, b'"' + b"a" * 1_000 + b'"').status_code == 413

    assert not RawPayload.objects.exists() and not Event.objects.exists()


def test_zip_bomb_is_refused_without_being_opened(client, shop, settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1_000_000
    bomb = gzip.compress(b"0" * 100_000_000)
    assert len(bomb) < 1_000_000
    tracemalloc.start()

    answer = post(client, bomb, **{"content-encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.status_code == 413 and peak < 64_000_000
    assert not RawPayload.objects.exists()


@pytest.mark.parametrize(("encoding", "body"), [
    ("gzip", b"no gzip"), ("gzip", gzip.compress(b"{}", mtime=0)[:-4]), ("br", b"{}"),
    ("zstd", b"{}")])
def test_encoding_that_cannot_be_read_is_415(client, shop, encoding, body):
    assert post(client, body, **{"content-encoding": encoding}).status_code == 415


@pytest.mark.parametrize(("name", "value"), [
    ("content-length", "abc"), ("content-length", "-1"), ("x-event-type", "\x00"),
    ("x-event-type", "a" * 5_000), ("x-event-type", "é" * 10), ("content-encoding", "identity"),
    ("traceparent", "0" * 5_000), ("ce-id", ""), ("webhook-id", "' OR 1=1--")])
def test_odd_header_is_never_a_server_error(client, shop, name, value):
    assert post(client, b'{"id": "1"}', **{name: value}).status_code < 500


@pytest.mark.parametrize("query", ["%00", "a=%ff", "&" * 3_000, "a[]=1&a[]=2", "a=" + "b" * 5_000])
def test_odd_query_is_never_a_server_error(client, shop, query):
    answer = client.post(f"/webhooks/webhook/shop/?{query}", data=b"{}",
                         content_type="application/json")

    assert answer.status_code == 202 and Event.objects.exists()


@pytest.mark.parametrize("tail", ["%00", "../../etc/passwd", "..%2f..%2f", "%ff", "a" * 3_000])
def test_odd_tail_of_the_address_is_never_a_server_error(client, shop, tail):
    answer = client.post(f"/webhooks/webhook/shop/{tail}", data=b"{}",
                         content_type="application/json")

    assert answer.status_code < 500


@pytest.mark.parametrize("address", ["webhook/none", "nothing/shop", "webhook/%00", "webhook/SHOP",
                                     "webhook/shop'", "whatsapp_evolution/shop", "webhook/%ff"])
def test_unknown_address_is_404_and_keeps_nothing(client, shop, address):
    assert client.post(f"/webhooks/{address}/", data=b"{}",
                       content_type="application/json").status_code == 404

    assert not RawPayload.objects.exists() and not Event.objects.exists()
