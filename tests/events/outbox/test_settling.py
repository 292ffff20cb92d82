"""A person settles a send of which nobody knows what became, or sends it again."""

import json
import uuid

import pytest
from django.utils import timezone

from events.models import OutboxMessage
from events.outbox import settling
from omni.errors import InvalidInput
from tests.factories import make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(httpserver):
    return make_instance("shop", settings={"send_url": httpserver.url_for("/out"),
                                           "send_timeout": 2})


def unknown(shop, **fields):
    return OutboxMessage.objects.create(**{
        "instance": shop, "effect_key": "omni:1:steps[0]:0", "kind": "text", "recipient": "ana",
        "request": {"text": "hi"}, "request_hash": "x", "state": "unknown", "attempts": 1,
        "token": uuid.uuid4().hex, "run_id": 7, "started_at": timezone.now(), **fields})


@pytest.mark.parametrize(("resolution", "state"), [("person_sent", "succeeded"),
                                                   ("person_not_sent", "not_sent")])
def test_person_settles_an_unknown_send_once(shop, resolution, state):
    row = unknown(shop)

    settling.resolve(row, resolution, actor="user:ana")

    row.refresh_from_db()
    assert (row.state, row.resolution) == (state, resolution)
    with pytest.raises(InvalidInput, match="not unknown any more"):
        settling.resolve(row, "person_sent", actor="user:ana")


def test_resolution_must_be_one_that_exists(shop):
    with pytest.raises(InvalidInput, match="person_sent, person_not_sent"):
        settling.resolve(unknown(shop), "maybe", actor="user:ana")


def test_sending_again_is_a_new_effect_of_the_same_request(shop, httpserver):
    httpserver.expect_request("/out", method="POST").respond_with_json({"id": "m2"})
    row = unknown(shop, effect_key="e:1")

    sent = settling.send_again(row, actor="user:ana")
    OutboxMessage.objects.filter(pk=sent.outbox_id).update(state="unknown")
    again = settling.send_again(OutboxMessage.objects.get(pk=sent.outbox_id), actor="user:ana")

    keys = OutboxMessage.objects.order_by("id").values_list("effect_key", flat=True)
    assert list(keys) == ["e:1", "e:1:again:1", "e:1:again:2"]
    assert again.state == "succeeded" and len(httpserver.log) == 2
    assert json.loads(httpserver.log[0][0].data)["data"]["text"] == "hi"


@pytest.mark.parametrize(("fields", "message"), [
    ({"state": "succeeded"}, "nothing to send again"), ({"state": "sending"}, "nothing to send"),
    ({"kind": "http"}, "only messages"),
    ({"request": {"media": {"base64": "[sha256 x]"}}}, "bytes were not kept")])
def test_what_cannot_be_sent_again_says_why(shop, fields, message):
    with pytest.raises(InvalidInput, match=message):
        settling.send_again(unknown(shop, **fields), actor="user:ana")
