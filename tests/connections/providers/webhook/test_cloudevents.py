"""CloudEvents in all three modes, read as the reference library writes them."""

import json

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

from connections.adapter import Account, Delivery
from connections.providers.webhook.adapter import WebhookAdapter
from connections.providers.webhook.cloudevents import handshake
from connections.providers.webhook.config import Credentials, Settings
from events.models import Event
from tests.factories import make_webhook, post_delivery

BATCH = "application/cloudevents-batch+json"
ENVELOPE = {"specversion": "1.0", "id": "42", "source": "/orders", "type": "org.example.order.paid",
            "time": "2026-05-28T17:26:40-03:00", "subject": "PX-1", "data": {"total": 10}}


def drafts_of(body, headers):
    adapter, account = WebhookAdapter(), Account("shop", "webhook", Settings(), Credentials())
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    delivery = Delivery(body=body, headers={k.lower(): v for k, v in headers.items()})
    return adapter.normalize(adapter.parse(delivery, account).value, delivery, account)


@pytest.mark.parametrize("write", [to_structured, to_binary])
def test_what_the_reference_library_writes_is_read(write):
    attributes = {name: ENVELOPE[name] for name in ENVELOPE if name != "data"}
    headers, body = write(CloudEvent({**attributes, "datacontenttype": "application/json"},
                                     ENVELOPE["data"]))

    [draft] = drafts_of(body, headers)

    assert draft.dedup_key == "ce:/orders 42"
    assert draft.provider_event_type == "org.example.order.paid"
    assert draft.subject == "PX-1"
    assert draft.content == {"data": {"total": 10}}
    assert draft.occurred_at.isoformat() == "2026-05-28T20:26:40+00:00"


def test_binary_data_of_the_reference_library_stays_base64():
    headers, body = to_structured(CloudEvent({"source": "/s", "type": "t", "id": "1"}, b"\x00\x01"))

    [draft] = drafts_of(body, headers)

    assert draft.content == {"data_base64": "AAE="}


@pytest.mark.parametrize(("header", "text"), [
    ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"),
    ("100%2525", "100%25"),
    ('"quoted \\" text"', 'quoted " text'),
    ("%FF", "\ufffd"),
    ("a%00b", "a\ufffdb"),
])
def test_header_values_are_decoded_exactly_once(header, text):
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t",
               "ce-subject": header, "content-type": "application/json"}

    [draft] = drafts_of(b"{}", headers)

    assert draft.subject == text


def test_a_binary_event_needs_no_body():
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}

    [draft] = drafts_of(b"", headers)

    assert draft.dedup_key == "ce:/s 1"
    assert draft.content == {}


def test_a_binary_event_may_carry_bytes():
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t",
               "content-type": "image/png"}

    [draft] = drafts_of(b"\x89PNG", headers)

    assert draft.content == {"data_base64": "iVBORw=="}
    assert draft.provider_metadata["datacontenttype"] == "image/png"


def test_every_event_of_a_batch_becomes_one_draft():
    drafts = drafts_of([ENVELOPE, {**ENVELOPE, "id": "43"}], {"content-type": BATCH})

    assert [(draft.dedup_key, draft.raw_index) for draft in drafts] == [
        ("ce:/orders 42", 0), ("ce:/orders 43", 1)]


def test_a_broken_element_does_not_cost_the_rest_of_the_batch():
    first, second, third = drafts_of([ENVELOPE, {"id": "x"}, 7], {"content-type": BATCH})

    assert first.dedup_key == "ce:/orders 42"
    assert [second.context["flags"], third.context["flags"]] == [["bad_cloudevent"]] * 2
    assert second.dedup_key != third.dedup_key


def test_an_empty_batch_is_still_one_event():
    [draft] = drafts_of([], {"content-type": BATCH})

    assert draft.content == {"items": []}


@pytest.mark.parametrize("change", [{"id": ""}, {"source": None}, {"specversion": "0.3"},
                                    {"type": 7}])
def test_an_incomplete_envelope_is_kept_as_it_is(change):
    envelope = {**ENVELOPE, **change}

    [draft] = drafts_of(envelope, {"content-type": "application/cloudevents+json"})

    assert draft.event_type == "webhook.received"
    assert draft.content == {"payload": envelope}
    assert draft.context["flags"] == ["bad_cloudevent"]


def test_source_and_id_cannot_be_shifted_into_each_other():
    [one] = drafts_of({**ENVELOPE, "source": "/a 1", "id": "2"}, {"content-type": "text/plain"})
    [other] = drafts_of({**ENVELOPE, "source": "/a", "id": "1 2"}, {"content-type": "text/plain"})

    assert one.dedup_key != other.dedup_key


def ask(origin, **more):
    headers = {"webhook-request-origin": origin, **more}
    return Delivery(body=b"", method="OPTIONS", headers=headers)


def test_a_sender_that_asks_is_allowed():
    answer = handshake(ask("events.example.com", **{"webhook-request-rate": "120"}),
                       allowed_origins=[])

    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "events.example.com"
    assert answer.headers["WebHook-Allowed-Rate"] == "120"


def test_only_listed_origins_are_allowed_where_there_is_a_list():
    allowed = handshake(ask("a.example"), allowed_origins=["a.example"])
    refused = handshake(ask("b.example"), allowed_origins=["a.example"])

    assert (allowed.status, refused.status) == (200, 403)
    assert "WebHook-Allowed-Origin" not in refused.headers


@pytest.mark.parametrize("origin", ["a\r\nX: y", "<script>", "a b", "x" * 300])
def test_an_origin_that_is_no_host_is_not_echoed(origin):
    answer = handshake(ask(origin), allowed_origins=[])

    assert answer.status == 400
    assert not answer.headers


def test_other_requests_are_no_handshake():
    assert handshake(Delivery(body=b"{}"), allowed_origins=[]) is None
    assert handshake(Delivery(body=b"", method="OPTIONS"), allowed_origins=[]) is None


BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t",
          "content-type": "application/json"}


def conversations(client, body, content_type, *, mapping=None, **headers):
    """(subject, conversation) of every stored event."""
    body = json.dumps(body).encode()
    answer = post_delivery(client, make_webhook(mapping=mapping), body,
                           content_type=content_type, **headers)
    assert answer.status_code == 202, answer.content
    return list(Event.objects.order_by("pk").values_list("subject", "conversation__ref"))


@pytest.mark.django_db
def test_subject_is_the_conversation_in_structured_mode(client):
    assert conversations(client, ENVELOPE, "application/cloudevents+json") == [("PX-1", "PX-1")]


@pytest.mark.django_db
def test_subject_is_the_conversation_in_binary_mode(client):
    headers = {name: BINARY[name] for name in BINARY if name.startswith("ce-")}

    found = conversations(client, {"total": 1}, "application/json",
                          **{**headers, "ce-subject": "caf%C3%A9"})

    assert found == [("café", "café")]


@pytest.mark.django_db
def test_each_event_of_a_batch_stands_in_the_conversation_of_its_subject(client):
    other = {**ENVELOPE, "id": "43", "subject": "PX-2"}
    plain = {name: ENVELOPE[name] for name in ENVELOPE if name != "subject"} | {"id": "44"}

    found = conversations(client, [ENVELOPE, other, plain], BATCH)

    assert found == [("PX-1", "PX-1"), ("PX-2", "PX-2"), (None, None)]


@pytest.mark.django_db
def test_mapping_says_otherwise_about_the_conversation(client):
    found = conversations(client, ENVELOPE, "application/cloudevents+json",
                          mapping={"conversation": "source", "subject": "data.total"})

    assert found == [("10", "/orders")]
