"""Stored rules turn any body into neutral events; without rules nothing is lost either."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from connections.adapter import Delivery
from connections.envelope import Handle, is_kind
from connections.providers.webhook import bodies, content
from connections.providers.webhook.config import Rules, Settings
from connections.providers.webhook.mapping import to_drafts

RECEIVED_AT = datetime(2026, 5, 28, 20, 26, 40, 123456, tzinfo=UTC)
CHAT = {"event": {"at": 1780000000123}, "room": {"id": 7, "title": "Sales"},
        "from": {"phone": "+351910000001", "name": "Ana"},
        "msg": [{"id": "m1", "body": "ol\u00e1"}]}
CHAT_RULES = {"event_type": "message.text", "time": "event.at", "conversation": "room.id",
              "conversation_title": "room.title", "sender": "from.phone",
              "sender_name": "from.name", "text": "msg[0].body", "message_id": "msg.0.id"}


def drafts_of(body, *, rules=None, headers=None, query="", received_at=RECEIVED_AT, **settings):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    delivery = Delivery(body=body, headers=headers or {}, query=query, received_at=received_at)
    return to_drafts(bodies.parse(delivery).value, delivery, Settings(mapping=rules, **settings))


def draft_of(body, **more):
    [draft] = drafts_of(body, **more)
    return draft


def test_rules_fill_the_neutral_fields():
    draft = draft_of(CHAT, rules=CHAT_RULES)

    assert draft.event_type == "message.text"
    assert draft.dedup_key == "m:m1"
    assert draft.provider_message_id == "m1"
    assert (draft.conversation_ref, draft.conversation_title) == ("7", "Sales")
    assert (draft.provider_actor_ref, draft.sender_name) == ("+351910000001", "Ana")
    assert draft.actor_handles == [Handle("phone", "+351910000001")]
    assert draft.contact_handle == "+351910000001"
    assert draft.text == "ol\u00e1"
    assert draft.occurred_at == datetime(2026, 5, 28, 20, 26, 40, 123000, tzinfo=UTC)
    assert draft.occurred_at_source == "provider"
    assert draft.content == {"payload": CHAT}


def test_rules_that_find_nothing_leave_the_fields_empty():
    draft = draft_of({"other": 1}, rules=CHAT_RULES)

    assert draft.event_type == "message.text"
    assert (draft.text, draft.conversation_ref, draft.provider_message_id) == (None, "", None)


def test_without_rules_the_payload_is_received_as_it_is():
    draft = draft_of({"type": "order.paid", "order": {"id": 1}})

    assert draft.event_type == "webhook.received"
    assert draft.provider_event_type == "order.paid"
    assert draft.content == {"payload": {"type": "order.paid", "order": {"id": 1}}}


@pytest.mark.parametrize(("native", "kind"), [
    ("order.paid", "custom.order.paid"), ("Order Paid!", "custom.order_paid"),
    ("com.example.shop.order.paid", "custom.com.example.shop_order_paid"),
    ("2fa.used", "custom.x2fa.used"), ("..", "webhook.received"),
    ("\u65e5\u672c", "webhook.received"),
    ("x" * 200, "custom." + "x" * 57), ("lead", "contact.created"), (7, "custom.x7"),
    ({"a": 1}, "webhook.received"), (None, "webhook.received"),
])
def test_native_types_become_kinds(native, kind):
    rules = {"type": "t", "types": {"lead": "contact.created"}}

    draft = draft_of({"t": native}, rules=rules)

    assert draft.event_type == kind
    assert is_kind(draft.event_type)


def test_a_type_may_come_from_a_header():
    draft = draft_of({}, rules={"type": "header:X-Event", "types": {"push": "custom.push"}},
                     headers={"x-event": "push"})

    assert draft.event_type == "custom.push"


def test_rules_apply_to_the_envelope_of_cloudevents():
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "chat",
             "data": {"text": "hi"}}

    draft = draft_of(event, rules={"types": {"chat": "message.text"}, "text": "data.text"})

    assert (draft.event_type, draft.text, draft.dedup_key) == ("message.text", "hi", "ce:/s 1")


def test_a_message_without_a_place_belongs_to_its_sender():
    draft = draft_of({"who": "ana@example.org"},
                     rules={"event_type": "message.text", "sender": "who"})

    assert (draft.conversation_ref, draft.conversation_kind) == ("ana@example.org", "direct")
    assert draft.actor_handles == [Handle("email", "ana@example.org")]


@pytest.mark.parametrize(("value", "direction", "from_me"), [
    ("out", "outbound", True), ("Outbound", "outbound", True), (True, "outbound", True),
    ("in", "inbound", False), (False, "inbound", False), ("internal", "internal", False),
    (None, "inbound", False)])
def test_direction_is_read_in_the_usual_words(value, direction, from_me):
    draft = draft_of({"d": value}, rules={"direction": "d"})

    assert (draft.direction, draft.from_me) == (direction, from_me)


@pytest.mark.parametrize(("kind", "relation"), [
    ("message.text", "replies_to"), ("message.edited", "replaces"), ("message.deleted", "deletes"),
    ("message.reaction", "reacts_to"), ("message.status.read", "status_of"),
    ("custom.seen", "derived_from")])
def test_the_kind_says_how_an_event_is_about_a_message(kind, relation):
    draft = draft_of({"about": "m1"}, rules={"event_type": kind, "target": "about"})

    assert (draft.relation, draft.target_message_id) == (relation, "m1")


def test_a_status_is_about_the_message_it_names():
    draft = draft_of({"m": "m1"}, rules={"event_type": "message.status.delivered",
                                         "message_id": "m"})

    assert (draft.target_message_id, draft.delivery_status) == ("m1", "delivered")
    assert draft.provider_message_id is None


@pytest.mark.parametrize(("value", "unit", "zone"), [
    (1780000000, "auto", "UTC"), ("1780000000", "s", "UTC"), (1780000000000, "auto", "UTC"),
    (1780000000000000, "us", "UTC"), (1780000000000000000, "auto", "UTC"),
    (1780000000.0, "s", "UTC"),
    ("2026-05-28T20:26:40Z", "auto", "UTC"), ("2026-05-28 17:26:40", "iso", "-03:00"),
    ("2026-05-28T21:26:40", "auto", "Europe/Lisbon"),
    ("Thu, 28 May 2026 20:26:40 GMT", "auto", "UTC"), ("20260528T202640Z", "auto", "UTC")])
def test_times_are_read_in_every_unit(value, unit, zone):
    draft = draft_of({"t": value}, rules={"time": "t", "time_unit": unit, "time_zone": zone})

    assert draft.occurred_at == datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)


@pytest.mark.parametrize("value", [
    0, -1, 10 ** 18 * 9, 1e300, "abc", "NaN", "", True, [1], "9" * 40,
    "0001-01-01T00:00:00+14:00"])
def test_unbelievable_times_are_flagged_and_left_to_the_clock(value):
    draft = draft_of({"t": value}, rules={"time": "t"})

    assert draft.occurred_at is None
    assert draft.context == {"flags": ["bad_time"]}


def test_equal_bodies_without_an_id_are_two_events():
    first = draft_of({"a": 1})
    second = draft_of({"a": 1}, received_at=RECEIVED_AT.replace(microsecond=7))

    assert first.dedup_key != second.dedup_key


def test_the_same_delivery_always_has_the_same_key():
    assert draft_of({"a": 1}).dedup_key == draft_of({"a": 1}).dedup_key


@pytest.mark.parametrize(("minute", "same"), [(29, True), (30, False)])
def test_a_window_makes_equal_bodies_one_event(minute, same):
    first = draft_of({"a": 1}, dedup_minutes=10, received_at=RECEIVED_AT.replace(minute=20))
    later = draft_of({"a": 1}, dedup_minutes=10, received_at=RECEIVED_AT.replace(minute=minute))

    assert (first.dedup_key == later.dedup_key) is same


def test_a_window_keeps_different_bodies_apart():
    assert (draft_of({"a": 1}, dedup_minutes=10).dedup_key
            != draft_of({"a": 2}, dedup_minutes=10).dedup_key)


@pytest.mark.parametrize(("headers", "rules", "key"), [
    ({"webhook-id": "msg_1"}, None, "w:msg_1"), ({"svix-id": "msg_1"}, None, "w:msg_1"),
    ({"x-github-delivery": "g-1"}, None, "w:g-1"),
    ({"webhook-id": "msg_1"}, {"id": "ref"}, "id:PX-1"), ({}, {"id": "ref"}, "id:PX-1")])
def test_an_id_of_the_sender_names_the_event(headers, rules, key):
    assert draft_of({"ref": "PX-1"}, headers=headers, rules=rules).dedup_key == key


def test_an_empty_id_does_not_name_anything():
    assert draft_of({"ref": ""}, rules={"id": "ref"}).dedup_key.startswith("b:")


@pytest.mark.parametrize(("body", "headers", "name", "value"), [
    ([{"id": 1}], {}, "items", [{"id": 1}]), ([], {}, "items", []), (7, {}, "value", 7),
    (None, {}, "value", None), ("x", {}, "value", "x"), ({}, {}, "payload", {}),
    (b"a=1&a=2", {"content-type": bodies.FORM}, "fields", {"a": ["1", "2"]}),
    (b"<a/>", {"content-type": "text/xml"}, "text_excerpt", "<a/>"),
    (b"\xff\x00", {}, "text_excerpt", "\ufffd\ufffd")])
def test_every_body_becomes_one_event_named_by_its_shape(body, headers, name, value):
    draft = draft_of(body, headers=headers)

    assert draft.event_type == "webhook.received"
    assert draft.content[name] == value


def test_a_query_is_kept_as_fields():
    assert draft_of(b"", query="alarm=on").content == {"fields": {"alarm": "on"}}


@pytest.mark.parametrize("body", [
    {"text": "x" * 500_000}, {"rows": [{"text": "x" * 1_000}] * 1_000}, b"<a>" + b"x" * 500_000,
    {"x" * 100_000: 1}, ["\u20ac" * 30_000, 1]])
def test_large_bodies_leave_a_bounded_content(body):
    draft = draft_of(body)

    assert draft.content["cut"] is True
    assert len(json.dumps(draft.content, ensure_ascii=False).encode()) <= content.MAX_BYTES


def test_what_fits_after_cutting_texts_keeps_its_shape():
    draft = draft_of({"id": 1, "image": "A" * 500_000})

    assert draft.content["payload"]["id"] == 1
    assert draft.content["payload"]["image"].startswith("AAA")


@pytest.mark.parametrize(("path", "expected"), [
    ("a.b[1].c", 3), ("a.b.1.c", 3), ('"x.y".z', 4), ("a.b[9999999].c", None),
    ("__proto__.x", None), ("a.b.c", None), ("a.b.-1.c", None), ('a."b"[1]."c"', 3)])
def test_paths_reach_into_payloads(path, expected):
    payload = {"a": {"b": [0, {"c": 3}]}, "x.y": {"z": 4}}

    draft = draft_of(payload, rules={"text": path})

    assert draft.text == (None if expected is None else str(expected))


@pytest.mark.parametrize("wrong", [
    {"text": "a..b"}, {"text": "[0]"}, {"text": 'a."b'}, {"text": "a[x]"}, {"event_type": "nope"},
    {"event_type": "message.nope"}, {"types": {"a": "Custom.A"}}, {"time_zone": "Mars/Base"},
    {"time_unit": "weeks"}, {"unknown": "x"}])
def test_wrong_rules_are_refused_when_they_are_written(wrong):
    with pytest.raises(ValidationError):
        Rules(**wrong)
