"""Edits and deletions: what they are about, whose they are, and that one is one."""

from datetime import UTC, datetime

import pytest

OWN, RITA = "351911000001@s.whatsapp.net", "351922000002@s.whatsapp.net"
OWN_LID = "200000000000001@lid"
GROUP = "120363900000000010@g.us"

ROWS = {
    "message.edited__own": {
        "text": "Já lhe respondo", "relation": "replaces", "target_message_id": "AC05",
        "from_me": True, "direction": "outbound", "conversation_ref": RITA,
        "provider_actor_ref": OWN, "content": {"kind": "message.text"},
        "provider_message_id": None, "provider_event_type": "messages.edited/MESSAGE_EDIT",
        "occurred_at": datetime(2026, 3, 2, 9, 16, 0, 123000, tzinfo=UTC)},
    "message.edited__contact_seen_from_editor": {
        "text": "Bom dia, há centeio?", "target_message_id": "AC01", "from_me": False,
        "direction": "inbound", "conversation_ref": "", "provider_actor_ref": ""},
    "message.edited__lid_unclear": {
        "target_message_id": "AC02", "conversation_ref": "", "provider_actor_ref": "",
        "from_me": True},
    "message.edited__group_member": {
        "text": "quem abre?", "from_me": False, "conversation_ref": GROUP,
        "provider_actor_ref": "351933000003@s.whatsapp.net"},
    "message.edited__wrapper_1_x": {
        "text": "nova legenda", "dedup_key": "m:AC50", "provider_message_id": "AC50",
        "target_message_id": "AC01", "media_kind": "image", "provider_actor_ref": RITA,
        "from_me": False, "sender_name": "Rita Moura"},
    "message.edited__by_api": {
        "source": "echo", "from_me": True, "conversation_ref": RITA, "text": "Abrimos às 8"},
    "message.deleted__revoke_seen_from_editor": {
        "relation": "deletes", "target_message_id": "AC01", "from_me": False,
        "conversation_ref": ""},
    "message.deleted__key": {
        "target_message_id": "AC01", "conversation_ref": "200000000000002@lid", "from_me": False},
    "message.deleted__by_api": {
        "target_message_id": "3EB0C0", "from_me": True, "occurred_at": None},
    "message.deleted__update_stub": {"dedup_key": "d:AC01"},
    "conversation.updated__timer": {
        "conversation_ref": RITA, "content": {"changes": {"ephemeral_seconds": 604800}}},
    "message.system__history_sync": {
        "direction": "internal", "content": {"notice": "HISTORY_SYNC_NOTIFICATION"}},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_change_becomes_these_fields(name, expected, drafts):
    draft = drafts(name)[0]

    assert {field: getattr(draft, field) for field in expected} == expected


def test_deletion_reported_twice_is_one_event(drafts):
    revoked = drafts("message.deleted__revoke_seen_from_editor")[0]
    deleted = drafts("message.deleted__key")[0]

    assert revoked.dedup_key == deleted.dedup_key == "d:AC01"
    assert revoked.fingerprint() == deleted.fingerprint()


def test_each_of_several_deleted_keys_is_an_event(drafts):
    found = drafts("message.deleted__several_keys")

    assert [draft.dedup_key for draft in found] == ["d:AC01", "d:AC02"]


def test_two_edits_of_one_message_are_two_events(load, read):
    body = load("message.edited__own")
    first = read(body)[0]
    body["data"]["editedMessage"]["conversation"] = "Já lhe digo outra vez"

    assert read(body)[0].dedup_key != first.dedup_key


def test_edit_undone_later_is_another_event(load, read):
    body = load("message.edited__own")
    first = read(body)[0]
    body["data"]["timestampMs"] = "1772442999000"

    assert read(body)[0].dedup_key != first.dedup_key


def test_edit_by_the_known_lid_is_a_contacts_edit(drafts):
    draft = drafts("message.edited__lid_unclear", own_lid=OWN_LID)[0]

    assert (draft.from_me, draft.conversation_ref, draft.provider_metadata["viewpoint"]) == (
        False, "", "editor")


def test_edit_in_a_foreign_lid_chat_is_ours_when_our_lid_is_known(load, read):
    body = load("message.edited__lid_unclear")
    body["data"]["key"]["remoteJid"] = "200000000000002@lid"

    draft = read(body, own_lid=OWN_LID)[0]

    assert (draft.from_me, draft.conversation_ref) == (True, "200000000000002@lid")


@pytest.mark.parametrize(("number", "name"), [(0, "REVOKE"), ("0", "revoke")])
def test_protocol_type_is_read_as_number_and_as_name(number, name, load, read):
    body = load("message.deleted__revoke_seen_from_editor")
    kinds = []

    for value in (number, name):
        body["data"]["type"] = value
        kinds.append(read(body)[0].event_type)

    assert kinds == ["message.deleted", "message.deleted"]


def test_cleared_chat_is_a_changed_conversation(load, read):
    body = load("message.deleted__key")
    body["data"] = {"jid": RITA, "all": True}

    draft = read(body)[0]

    assert (draft.event_type, draft.conversation_ref, draft.content) == (
        "conversation.updated", RITA, {"changes": {"cleared": True}})


@pytest.mark.parametrize("body", [
    {}, {"hologramMessage": {}}, {"secretEncryptedMessage": {"encPayload": "AQ=="}},
    {"placeholderMessage": {"type": 0}}])
def test_edit_whose_new_text_cannot_be_read_says_so(body, load, read):
    payload = load("message.edited__own")
    payload["data"]["editedMessage"] = body

    draft = read(payload)[0]

    assert (draft.event_type, draft.text) == ("message.edited", None)
    assert draft.content["text_hidden"] is True


def test_edit_that_can_be_read_hides_nothing(drafts):
    assert "text_hidden" not in drafts("message.edited__own")[0].content
