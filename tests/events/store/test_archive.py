"""The archive: exact bytes, less what must not be kept."""

import gzip
import hashlib
import io
import json

import pytest

from events.models import RawPayload
from events.store import archive, ingest
from tests.factories import make_instance, make_raw_row, make_unit, make_webhook

NAMES = frozenset({"apikey", "qrcode.code"})


@pytest.mark.parametrize(("body", "kept"), [
    (b'{"apikey": "s3cret"}', b'{"apikey": "[redacted]"}'),
    (b'{"apikey" :\n"s3\\"cret", "a": 1}', b'{"apikey" :\n"[redacted]", "a": 1}'),
    (b'{"x": {"apikey": "a"}, "apikey": "b"}',
     b'{"x": {"apikey": "[redacted]"}, "apikey": "[redacted]"}'),
    (b'{"qrcode": {"id": 1, "code": "2@x"}, "code": "kept"}',
     b'{"qrcode": {"id": 1, "code": "[redacted]"}, "code": "kept"}')])
def test_credentials_in_a_body_are_blanked_and_said_so(body, kept):
    assert archive.blank(body, NAMES) == (kept, True)


@pytest.mark.parametrize("body", [
    b"", b"\xff\x00", b'{"apikey": null}', b'{"apikey": ""}', b'{"text": "apikey"}',
    b'{"code": "1"}'])
def test_body_without_credentials_is_kept_byte_for_byte(body):
    assert archive.blank(body, NAMES) == (body, False)


@pytest.mark.django_db
def test_digest_is_of_what_arrived_also_when_the_body_was_blanked():
    instance = make_instance("wa", "whatsapp_evolution")
    body = b'{"event": "x", "apikey": "canary"}'

    raw = make_raw_row(instance, body)

    assert raw.sha256 == hashlib.sha256(body).hexdigest() and raw.size_bytes == len(body)
    assert raw.redacted and b"canary" not in raw.body


@pytest.mark.django_db
def test_only_listed_headers_are_kept():
    raw = make_raw_row(make_instance(), headers={
        "content-type": "application/json", "authorization": "Bearer canary",
        "x-webhook-token": "canary", "cookie": "canary", "ce-id": "1", "webhook-id": "w"})

    assert raw.headers == {"content-type": "application/json", "ce-id": "1", "webhook-id": "w"}


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["svix-id", "x-event-type", "x-gitlab-event", "x-event-key"])
def test_headers_that_name_an_event_are_kept_for_replay(header):
    assert make_raw_row(make_instance(), headers={header: "a"}).headers == {header: "a"}


@pytest.mark.django_db
def test_secrets_in_a_query_are_blanked():
    raw = make_raw_row(make_instance(), query="token=canary&a=1&api_key=canary&b=")

    assert raw.query == "token=%5Bredacted%5D&a=1&api_key=%5Bredacted%5D&b="


@pytest.mark.django_db
def test_exported_delivery_is_read_again_as_it_was():
    shop = make_webhook()
    body = bytes(range(256))
    ingest.persist([make_unit(shop, raw=make_raw_row(
        shop, body, path="in", query="a=1", method="PUT"))])
    stream = io.StringIO()

    count = archive.export(RawPayload.objects.all(), stream)
    stream.seek(0)
    [(provider, slug, delivery)] = archive.load(stream)

    raw = RawPayload.objects.get()
    assert (count, provider, slug) == (1, "webhook", "shop")
    assert (delivery.body, delivery.path, delivery.query, delivery.method) == (
        body, "in", "a=1", "PUT")
    assert delivery.received_at == raw.received_at


@pytest.mark.parametrize("line", [
    "{", "[]", "{}", json.dumps({"provider": "webhook", "instance": "a", "body_base64": "!"})])
def test_line_that_is_no_delivery_is_named(line):
    with pytest.raises(ValueError, match="line 2 is no exported delivery"):
        list(archive.load(io.StringIO(f"\n{line}\n")))


@pytest.mark.django_db
def test_archived_delivery_is_found_by_its_number():
    shop = make_webhook()
    [stored] = ingest.persist([make_unit(shop, body=b"x")])

    raw = archive.read(stored.raw_id)

    assert archive.read(raw.pk, received_at=raw.received_at) == raw
    with pytest.raises(RawPayload.DoesNotExist):
        archive.read(raw.pk + 1)


@pytest.mark.django_db
def test_delivery_that_came_zipped_can_be_exported_and_received_again(client):
    shop = make_webhook()
    client.post("/webhooks/webhook/shop/", gzip.compress(b'{"a": 1}'), "application/json",
                headers={"x-webhook-token": "webhook-secret-of-tests",
                         "content-encoding": "gzip"})
    stream = io.StringIO()
    archive.export(RawPayload.objects.filter(instance=shop), stream)
    stream.seek(0)

    [(_, _, delivery)] = archive.load(stream)

    assert delivery.body == b'{"a": 1}' and "content-encoding" not in delivery.headers


