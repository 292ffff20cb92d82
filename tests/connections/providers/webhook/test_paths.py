"""Paths of a mapping, also into JSON that stands as a text in a field."""

import json

import pytest

from connections.providers.webhook.paths import compile_path, read
from events.models import Event
from tests.factories import make_webhook, post_delivery

ORDER = {"order": {"id": "o-7", "lines": [{"sku": "a"}]}}
PAYLOAD = {"data": json.dumps(ORDER), "items": [json.dumps(ORDER)], "ready": ORDER, "odd|json": 1,
           "a|b": 2, "twice": json.dumps({"inner": json.dumps(ORDER)}), "words": "no json", "n": 3}


@pytest.mark.parametrize(("path", "found"), [
    ("data|json.order.id", "o-7"), ("data|json.order.lines[0].sku", "a"), ("data|json", ORDER),
    ("items[0]|json.order.id", "o-7"), ("ready|json.order.id", "o-7"),
    ("twice|json.inner|json.order.id", "o-7"), ('"odd|json"', 1), ("a|b", 2),
    ("words|json.a", None), ("n|json.a", None), ("missing|json.a", None), ("data.order.id", None)])
def test_path_goes_on_inside_a_text(path, found):
    assert read(path, PAYLOAD, {}) == found


@pytest.mark.parametrize("path", ["|json.a", "a|json[", "a..b", "a|json.|json"])
def test_path_that_cannot_be_read_says_how_to_write_it(path):
    with pytest.raises(ValueError, match=r"a\|json\.b"):
        compile_path(path)


@pytest.mark.django_db
def test_id_and_text_are_found_in_json_inside_a_field(client):
    shop = make_webhook(mapping={"event_type": "message.text", "id": "payload.data|json.id",
                                 "text": "payload.data|json.body.text"})
    inner = json.dumps({"id": "m-1", "body": {"text": "hello"}})

    post_delivery(client, shop, {"payload": {"data": inner}})

    event = Event.objects.get()
    assert (event.provider_message_id, event.text) == ("m-1", "hello")
