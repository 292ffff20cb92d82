"""Sending over REST: at most once per Idempotency-Key, against a real target."""

import pytest
from django.utils import timezone

from connections.access import ApiKey
from events.models import Event, OutboxMessage
from events.outbox import attempts
from tests.api_client import client_of, post_json
from tests.factories import make_instance
from tests.full_host import full_host

pytestmark = pytest.mark.django_db
SEND = "/api/v1/messages/send/"
HELLO = {"instance": "shop", "to": "ana", "text": "hello"}


@pytest.fixture
def target(httpserver):
    """The address messages are posted to, and an instance that posts there."""
    make_instance(settings={"send_url": httpserver.url_for("/in")})
    return httpserver


def taken(target):
    target.expect_request("/in", method="POST").respond_with_json({"id": "native-1"})


def test_sent_message_is_answered_with_its_outbox_row(target):
    taken(target)

    answer = post_json(client_of("send"), SEND, HELLO)

    assert answer.status_code == 201, answer.data
    assert (answer.data["state"], answer.data["provider_message_id"]) == ("succeeded", "native-1")
    assert answer.headers["Location"] == f"/api/v1/outbox/{answer.data['id']}/"
    assert Event.objects.get().pk == answer.data["event"]


def test_same_key_and_body_sends_once_and_answers_as_before(target):
    taken(target)
    client = client_of("send")

    first = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})
    again = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert first.data == again.data and len(target.log) == 1


@pytest.mark.parametrize("change", [{"text": "other"}, {"to": "bea"}, {"mentions": ["bea"]}])
def test_same_key_with_another_body_is_refused(target, change):
    taken(target)
    client = client_of("send")
    post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})

    answer = post_json(client, SEND, {**HELLO, **change}, **{"idempotency-key": "order-7"})

    assert (answer.status_code, answer.data["code"]) == (422, "idempotency_mismatch")
    assert len(target.log) == 1


def test_same_key_for_another_instance_is_refused(target):
    taken(target)
    make_instance("desk", settings={"send_url": target.url_for("/in")})
    client = client_of("send")
    post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})

    answer = post_json(client, SEND, {**HELLO, "instance": "desk"},
                       **{"idempotency-key": "order-7"})

    assert answer.status_code == 422 and len(target.log) == 1


def test_keys_of_two_callers_do_not_meet(target):
    taken(target)

    for _ in range(2):
        client = client_of("send")
        answer = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})
        assert answer.status_code == 201 and "Idempotency-Replayed" not in answer.headers

    assert len(target.log) == 2


@pytest.mark.parametrize("token", [attempts.ONE_PROCESS, "another process"],
                         ids=["ours", "of another process"])
def test_request_in_flight_is_a_conflict(target, token):
    client = client_of("send")
    key = ApiKey.objects.get()
    message = {"kind": "text", "to": "ana", "text": "hello"}
    name = f"api:key:{key.pk}:order-7"
    message["client_ref"] = name
    OutboxMessage.objects.create(
        instance=_shop(), effect_key=name, kind="text", recipient="ana", state="sending",
        token=token, started_at=timezone.now(),
        request_hash=attempts.request_hash("text", "ana", message))

    answer = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})

    assert (answer.status_code, answer.data["code"]) == (409, "in_flight")
    assert OutboxMessage.objects.get().state == "sending"


def _shop():
    from connections.models import Instance

    return Instance.objects.get(slug="shop")


@pytest.mark.parametrize(("status", "expected", "state"), [
    (400, 422, "rejected"),
    (500, 202, "unknown"),
    (429, 503, "not_sent"),
])
def test_outcome_decides_the_answer(target, status, expected, state):
    target.expect_request("/in").respond_with_data("no", status=status)

    answer = post_json(client_of("send"), SEND, HELLO)

    assert answer.status_code == expected, answer.data
    assert OutboxMessage.objects.get().state == state
    assert answer.headers["Location"].startswith("/api/v1/outbox/")


def test_refusal_carries_the_reason_of_the_provider(target):
    target.expect_request("/in").respond_with_data("no", status=403)

    answer = post_json(client_of("send"), SEND, HELLO)

    assert (answer.data["code"], answer.data["detail"]) == (
        "http_403", "the target answered 403")


def test_nothing_sent_can_be_tried_again_with_the_same_key(target):
    target.expect_ordered_request("/in").respond_with_data("later", status=429)
    target.expect_ordered_request("/in").respond_with_json({"id": "native-1"})
    client = client_of("send")

    first = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})
    again = post_json(client, SEND, HELLO, **{"idempotency-key": "order-7"})

    assert first.status_code == 503 and int(first.headers["Retry-After"]) > 0
    assert again.status_code == 201 and "Idempotency-Replayed" not in again.headers


@pytest.mark.parametrize(("change", "pointer"), [
    ({"to": ""}, "/to"),
    ({"text": None}, "/text"),
    ({"text": "a\x00b"}, "/"),
    ({"kind": "telepathy"}, "/kind"),
    ({"kind": "image"}, "/media"),
    ({"kind": "location"}, "/content"),
    ({"kind": "reaction", "content": {"emoji": "x"}}, "/target_message_id"),
    ({"quote": True}, "/target_message_id"),
    ({"media": {"url": "https://a.example/x", "base64": "eA=="}}, "/media"),
    ({"media": {"url": "file:///etc/passwd"}}, "/media/url"),
    ({"media": {"url": "https://a.example/x", "size": 1}}, "/media/size"),
    ({"approved": True}, "/approved"),
    ({"client_ref": "mine"}, "/client_ref"),
])
def test_wrong_field_of_a_message_is_named_and_nothing_is_sent(target, change, pointer):
    answer = post_json(client_of("send"), SEND, {**HELLO, **change})

    assert answer.status_code == 400
    pointers = [error["pointer"] for error in answer.data.get("errors", [{"pointer": "/"}])]
    assert pointer in pointers, answer.data
    assert not target.log and not OutboxMessage.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 201, "naïve"])
def test_unusable_idempotency_key_is_refused(target, key):
    answer = post_json(client_of("send"), SEND, HELLO, **{"idempotency-key": key})

    assert answer.status_code == 400 and not target.log


def test_foreign_instance_looks_like_a_missing_one(target):
    desk = make_instance("desk")
    client = client_of("send", instances=[desk])

    foreign = post_json(client, SEND, HELLO)
    missing = post_json(client, SEND, {**HELLO, "instance": "nowhere"})

    assert foreign.status_code == missing.status_code == 404
    assert foreign.data == missing.data and not target.log


def test_archived_instance_sends_nothing(target):
    shop = _shop()
    shop.archived_at = timezone.now()
    shop.save()

    answer = post_json(client_of("send"), SEND, HELLO)

    assert (answer.status_code, answer.data["code"]) == (409, "instance_archived")


def test_send_beyond_the_hosts_share_is_told_when_to_come_again(target, settings):
    taken(target)

    with full_host(target.url_for(""), settings):
        answer = post_json(client_of("send"), SEND, HELLO, **{"idempotency-key": "order-7"})
    again = post_json(client_of("send"), SEND, HELLO, **{"idempotency-key": "order-7"})

    assert (answer.status_code, answer.data["code"]) == (503, "rate_limited")
    assert int(answer.headers["Retry-After"]) >= 1 and "OMNI_HOST_SHARE" in answer.data["detail"]
    assert (again.status_code, len(target.log)) == (201, 1)
