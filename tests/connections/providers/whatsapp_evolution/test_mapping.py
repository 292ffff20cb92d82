"""The entry point of the mapping: every documented event, every spelling, every odd shape."""

import copy
import json
from datetime import timedelta
from pathlib import Path

import pytest

from connections.envelope import CONVERSATION_KINDS, DELIVERY_STATUSES, KINDS, RELATIONS, SOURCES
from connections.providers.whatsapp_evolution.mapping import READERS, event_name

NAMES = sorted(path.stem for path in (Path(__file__).parent / "payloads").glob("*.json"))
SUBSCRIBABLE = [
    "APPLICATION_STARTUP", "QRCODE_UPDATED", "MESSAGES_SET", "MESSAGES_UPSERT",
    "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE", "CONTACTS_SET", "CONTACTS_UPSERT", "CONTACTS_UPDATE",
    "PRESENCE_UPDATE", "CHATS_SET", "CHATS_UPSERT", "CHATS_UPDATE", "CHATS_DELETE",
    "GROUPS_UPSERT", "GROUP_UPDATE", "GROUP_PARTICIPANTS_UPDATE", "CONNECTION_UPDATE",
    "LABELS_EDIT", "LABELS_ASSOCIATION", "CALL", "TYPEBOT_START", "TYPEBOT_CHANGE_STATUS",
    "REMOVE_INSTANCE", "LOGOUT_INSTANCE", "INSTANCE_CREATE", "INSTANCE_DELETE",
    "STATUS_INSTANCE"]
SECRETS = ("jpegThumbnail", "mediaKey", "not-a-real-key", "aW52ZW50ZWQ=", "sEcReTcOdE",
           "order-token", "PAIRME12", "topsecret", "c2VjcmV0")
ODD_VALUES = ([], {}, None, 7, True, "x", -1.5e300, 10 ** 40, [None, 1, {}], "@lid",
              {"low": 1, "high": 2})


@pytest.mark.parametrize("name", NAMES)
def test_body_becomes_the_kind_its_file_is_named_after(name, drafts):
    found = drafts(name)

    assert found[0].event_type == name.partition("__")[0]


@pytest.mark.parametrize("name", NAMES)
def test_drafts_keep_to_the_closed_vocabulary(name, drafts):
    for draft in drafts(name):
        assert draft.event_type in KINDS
        assert draft.relation in ("", *RELATIONS)
        assert draft.conversation_kind in ("", *CONVERSATION_KINDS)
        assert draft.delivery_status in (None, *DELIVERY_STATUSES)
        assert draft.source in SOURCES
        assert draft.occurred_at_source == ("provider" if draft.occurred_at else "received")


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_stable_and_differ_within_a_body(name, drafts):
    first, again = drafts(name), drafts(name)

    assert [draft.dedup_key for draft in first] == [draft.dedup_key for draft in again]
    assert len({draft.dedup_key for draft in first}) == len(first)


@pytest.mark.parametrize("name", NAMES)
def test_secrets_and_media_stay_out_of_the_extras(name, drafts):
    for draft in drafts(name):
        extras = json.dumps([draft.content, draft.context, draft.provider_metadata, draft.text])

        assert not [secret for secret in SECRETS if secret in extras]


@pytest.mark.parametrize("name", SUBSCRIBABLE)
@pytest.mark.parametrize("spell", [str, str.lower, lambda name: name.lower().replace("_", "."),
                                   lambda name: name.lower().replace("_", "-")])
def test_event_is_known_in_every_spelling(name, spell):
    assert event_name(spell(name)) in READERS


def test_path_tail_names_the_event_when_the_body_does_not(load, read):
    body = load("message.text__plain")
    del body["event"]

    found = read(body, path="messages-upsert")

    assert found[0].event_type == "message.text"
    assert found[0].provider_event_type == "messages.upsert/conversation"


def test_event_of_the_body_wins_over_the_path(load, read):
    found = read(load("message.text__plain"), path="call")

    assert found[0].event_type == "message.text"


@pytest.mark.parametrize("payload", [None, [], {}, 1, "text", [{"event": "call"}], b"\x00"])
def test_body_that_is_no_object_is_kept_as_unmapped(payload, read):
    found = read(payload)

    assert [draft.event_type for draft in found] == ["event.unmapped"]


def test_unknown_event_keeps_its_native_name(drafts):
    draft = drafts("event.unmapped__future_event")[0]

    assert draft.provider_event_type == "newsletter.metadata"
    assert draft.content == {"reason": "unknown event"}


def test_other_dialect_is_shown_as_such(drafts):
    draft = drafts("event.unmapped__evolution_go")[0]

    assert (draft.provider_event_type, draft.content) == (
        "Message", {"reason": "dialect of Evolution Go"})


def test_items_of_a_list_are_numbered(drafts):
    found = drafts("message.text__history")

    assert [(draft.raw_index, draft.source, draft.direction) for draft in found] == [
        (0, "history", "inbound"), (1, "history", "outbound")]


def test_odd_item_of_a_list_does_not_hide_its_neighbours(load, read):
    body = load("message.text__history")
    body["data"].insert(1, "not a message")

    found = read(body)

    assert [draft.event_type for draft in found] == [
        "message.text", "event.unmapped", "message.text"]
    assert found[1].provider_event_type == "messages.set"


def test_retry_of_an_event_without_an_id_has_the_same_key(drafts, received_at):
    first = drafts("presence.typing__direct")[0]
    later = drafts("presence.typing__direct", at=received_at + timedelta(minutes=19))[0]

    assert first.dedup_key == later.dedup_key


def test_same_event_again_has_another_key(load, read):
    body = load("connection.opened__paired")
    first = read(body)[0]
    body["date_time"] = "2026-03-02T09:16:00.000Z"

    assert read(body)[0].dedup_key != first.dedup_key


def test_without_any_time_the_receipt_is_taken_in_steps_of_the_retry_window(
        load, read, received_at):
    body = load("connection.opened__paired")
    del body["date_time"]
    on_the_step = received_at.replace(minute=0)

    first = read(body, at=on_the_step)[0]

    assert read(body, at=on_the_step + timedelta(minutes=19))[0].dedup_key == first.dedup_key
    assert read(body, at=on_the_step + timedelta(minutes=21))[0].dedup_key != first.dedup_key


def test_envelope_time_is_never_the_time_of_the_event(drafts):
    draft = drafts("message.status.delivered__phone")[0]

    assert (draft.occurred_at, draft.occurred_at_source) == (None, "received")


def _paths(value, path=()):
    children = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, child in children:
        if not str(key).isdigit() or isinstance(key, int) or key == "0":
            yield (*path, key)
            yield from _paths(child, (*path, key))


@pytest.mark.parametrize("name", NAMES)
def test_missing_or_odd_values_never_raise(name, load, read):
    body = load(name)

    for path in list(_paths(body)):
        for value in ODD_VALUES:
            broken = copy.copy(body)
            place = broken
            for key in path[:-1]:
                place[key] = copy.copy(place[key])
                place = place[key]
            place[path[-1]] = value
            found = read(broken)
            assert found and all(draft.event_type in KINDS and draft.dedup_key for draft in found)
            json.dumps([[draft.content, draft.context, draft.provider_metadata]
                        for draft in found], allow_nan=False)
        if isinstance(path[-1], str):
            del place[path[-1]]
            assert read(broken)
