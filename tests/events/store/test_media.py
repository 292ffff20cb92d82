"""Bytes of attachments: where they come from, how they are kept, how they are served."""

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.http import bulkhead
from events.models import Attachment, RawPayload
from events.store import media
from events.store.partitions import ensure
from omni.errors import Held, RateLimited
from tests.api_client import client_of
from tests.factories import make_event, make_instance
from tests.full_host import full_host

pytestmark = pytest.mark.django_db
PICTURE = b"\x89PNG invented picture"
DIGEST = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture(autouse=True)
def media_root(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def make_inline(value, *, path="files.0.base64", instance=None, **fields):
    """An attachment whose bytes stand in the archived body of its event."""
    instance = instance or make_instance(provider="webchat", credentials={"secret": "s" * 20})
    body = json.dumps({"files": [{"base64": value}]}).encode()
    now = timezone.now()
    ensure()
    raw = RawPayload.objects.create(
        instance=instance, provider=instance.provider, received_at=now, body=body,
        size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), last_seen_at=now)
    return Attachment.objects.create(**{
        "event": make_event(instance, raw_id=raw.pk), "kind": "image", "mime": "image/png",
        "inline_path": path, **fields})


def make_remote(httpserver, status=200, content=PICTURE, headers=None, **fields):
    """An attachment whose bytes the storage of an Evolution server has."""
    httpserver.expect_request("/file").respond_with_data(content, status=status, headers=headers)
    httpserver.expect_request("/chat/getBase64FromMediaMessage/phone").respond_with_json(
        {"message": "no such message"}, status=status)
    instance = make_instance("phone", provider="whatsapp_evolution", credentials={"api_key": "k"},
                             settings={"base_url": httpserver.url_for("")})
    return Attachment.objects.create(**{
        "event": make_event(instance, provider_message_id="M1"), "kind": "image",
        "source_url": httpserver.url_for("/file"), **fields})


def text_of(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("value", [text_of(PICTURE), "data:image/png;base64," + text_of(PICTURE)])
def test_bytes_in_the_archived_body_are_stored_by_their_content(value, media_root):
    attachment = make_inline(value, sha256=DIGEST.upper())

    media.fetch(attachment)

    attachment.refresh_from_db()
    assert (attachment.state, attachment.error) == ("stored", "")
    assert attachment.storage_key == f"{DIGEST[:2]}/{DIGEST}"
    assert (media_root / attachment.storage_key).read_bytes() == PICTURE


def test_bytes_at_the_provider_are_asked_for_once(httpserver):
    attachment = make_remote(httpserver)

    for _ in range(2):
        media.fetch(attachment)

    assert attachment.state == "stored"
    assert len(httpserver.log) == 1


def test_stored_file_that_was_lost_is_fetched_again(httpserver):
    attachment = media.fetch(make_remote(httpserver))
    media.path_of(attachment).unlink()

    media.fetch(attachment)

    assert media.path_of(attachment).read_bytes() == PICTURE


def test_same_file_of_two_messages_is_one_file(media_root):
    first = media.fetch(make_inline(text_of(PICTURE)))
    second = media.fetch(make_inline(text_of(PICTURE), instance=first.event.instance))

    assert first.storage_key == second.storage_key
    assert len([path for path in media_root.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize(("value", "fields", "reason"), [
    ("%%%", {}, "no base64"),
    ("", {}, "empty"),
    (text_of(PICTURE), {"path": "files.7.base64"}, "has nothing at files.7.base64"),
    (text_of(PICTURE), {"path": "files.x"}, "has nothing at files.x"),
    (text_of(PICTURE), {"path": "files.0"}, "no base64"),
    (text_of(PICTURE), {"sha256": "0" * 64}, "sha256 differs"),
    (text_of(PICTURE), {"size_bytes": 10 ** 9}, "OMNI_MEDIA_MAX_BYTES"),
    (text_of(b"x" * 3000), {}, "OMNI_MEDIA_MAX_BYTES"),
])
def test_unusable_bytes_fail_with_the_reason(value, fields, reason, settings, media_root):
    settings.OMNI_MEDIA_MAX_BYTES = 2000

    attachment = media.fetch(make_inline(value, **fields))

    assert attachment.state == "failed"
    assert reason in attachment.error
    assert not media_root.exists()


def test_server_error_may_be_tried_again(httpserver):
    attachment = media.fetch(make_remote(httpserver, status=500))
    failed = (attachment.state, attachment.error)
    httpserver.clear()
    httpserver.expect_request("/file").respond_with_data(PICTURE)

    media.fetch(attachment)

    assert failed[0] == "failed" and "500" in failed[1]
    assert (attachment.state, attachment.error) == ("stored", "")


def test_provider_that_is_busy_says_when_to_come_back(httpserver):
    attachment = make_remote(httpserver, status=429, headers={"retry-after": "7"})

    with pytest.raises(RateLimited) as caught:
        media.fetch(attachment)

    assert (caught.value.retry_after, attachment.state) == (7.0, "failed")


def test_busy_provider_is_told_to_the_api_with_the_time(httpserver):
    attachment = make_remote(httpserver, status=503, headers={"retry-after": "1.5"})

    answer = client_of("read").get(address(attachment))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "rate_limited"


def test_file_the_provider_no_longer_has_is_expired_for_good(httpserver):
    attachment = media.fetch(make_remote(httpserver, status=404))
    asked = len(httpserver.log)

    media.fetch(attachment)

    assert attachment.state == "expired"
    assert "404" in attachment.error
    assert len(httpserver.log) == asked


def test_file_of_a_dropped_archive_is_expired():
    attachment = make_inline(text_of(PICTURE))
    RawPayload.objects.all().delete()

    media.fetch(attachment)

    assert attachment.state == "expired"


@pytest.mark.parametrize(("days", "state"), [(1, "failed"), (-1, "expired")])
def test_file_nobody_can_fetch_is_expired_once_its_address_is(days, state):
    attachment = Attachment.objects.create(
        event=make_event(make_instance()), kind="image",
        url_expires_at=timezone.now() + timedelta(days=days))

    media.fetch(attachment)

    assert (attachment.state, attachment.error) == (state, "Generic webhook cannot fetch media")


def address(attachment):
    return f"/api/v1/events/{attachment.event_id}/attachments/{attachment.position}/"


def test_served_bytes_cannot_become_a_page():
    attachment = make_inline(text_of(PICTURE), filename="a.png")

    answer = client_of("read").get(address(attachment))

    assert b"".join(answer.streaming_content) == PICTURE
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a.png"


@pytest.mark.parametrize(("mime", "served"), [
    ("audio/ogg; codecs=opus", "audio/ogg"), ("text/plain", "text/plain; charset=utf-8"),
    ("text/html", "application/octet-stream"), ("image/svg+xml", "application/octet-stream"),
    ("application/pdf", "application/octet-stream"), (None, "application/octet-stream"),
    ("image/png\r\nX-Evil: 1", "application/octet-stream"),
])
def test_only_harmless_types_are_named(mime, served):
    answer = client_of("read").get(address(make_inline(text_of(PICTURE), mime=mime)))

    assert answer.headers["Content-Type"] == served
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(("given", "served"), [
    ("../../etc/passwd", "passwd"), ("C:\\pictures\\cão.png", "c%C3%A3o.png"),
    ('a"; b\r\nSet-Cookie: x', "a%22%3B%20bSet-Cookie%3A%20x"), ("...", None), (None, None),
])
def test_file_name_is_only_a_name(given, served):
    attachment = make_inline(text_of(PICTURE), filename=given)

    answer = client_of("read").get(address(attachment))

    name = answer.headers["Content-Disposition"].partition("''")[2]
    assert name == (served or f"image-{attachment.event_id}-0.png")


@pytest.mark.parametrize(("value", "status", "code"), [
    ("%%%", 502, "media_unavailable"), (None, 410, "media_expired")])
def test_bytes_that_cannot_be_had_are_a_problem_with_the_reason(value, status, code):
    attachment = make_inline(value or text_of(PICTURE))
    if value is None:
        RawPayload.objects.all().delete()

    answer = client_of("read").get(address(attachment))

    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert answer.data["detail"]


@pytest.mark.parametrize("place", ["{pk}/attachments/7/", "0/attachments/0/", "x/attachments/0/",
                                   "{pk}/attachments/99999999999/", "9" * 30 + "/attachments/0/"])
def test_no_such_file_is_404(place):
    attachment = make_inline(text_of(PICTURE))

    answer = client_of("read").get("/api/v1/events/" + place.format(pk=attachment.event_id))

    assert answer.status_code == 404


def test_key_of_another_instance_does_not_see_the_file():
    attachment = make_inline(text_of(PICTURE))

    answer = client_of("read", instances=[make_instance("other")]).get(address(attachment))

    assert answer.status_code == 404
    attachment.refresh_from_db()
    assert attachment.state == "pending"


def test_file_whose_call_is_put_off_is_as_it_was(httpserver, settings):
    attachment = make_remote(httpserver)

    with full_host(httpserver.url_for(""), settings), bulkhead.step_of(1, repeatable=True), \
            pytest.raises(Held):
        media.fetch(attachment)

    assert (attachment.state, attachment.error) == ("pending", "")
    assert media.fetch(attachment).state == "stored"
