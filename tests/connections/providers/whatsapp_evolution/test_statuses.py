"""Delivery statuses: their names, whose they are, and that phone and LID give one event."""

import pytest

from connections.providers.whatsapp_evolution.statuses import status_name

OWN, RITA = "351911000001@s.whatsapp.net", "351922000002@s.whatsapp.net"
LID = "200000000000002@lid"

ROWS = {
    "message.status.delivered__phone": {
        "dedup_key": "s:3EB0C0:delivered:", "relation": "status_of", "target_message_id": "3EB0C0",
        "delivery_status": "delivered", "provider_message_id": None, "from_me": True,
        "direction": "outbound", "provider_actor_ref": RITA, "contact_ref": RITA},
    "message.status.read__group_member": {
        "dedup_key": "s:3EB0C1:read:351933000003@s.whatsapp.net",
        "provider_actor_ref": "351933000003@s.whatsapp.net"},
    "message.status.read__by_us": {
        "from_me": False, "provider_actor_ref": OWN, "contact_ref": RITA},
    "message.status.failed__nested": {
        "error_code": "405", "provider_actor_ref": "", "dedup_key": "s:BAE5E0:failed:"},
    "message.status.sent__server_ack": {"provider_actor_ref": "", "contact_ref": RITA},
    "message.updated__deleted_after_edit": {
        "relation": "revises", "target_message_id": "AC01", "delivery_status": None,
        "direction": "internal", "from_me": False, "provider_actor_ref": "",
        "content": {"native_status": "DELETED"}},
    "message.updated__without_status": {"relation": "revises", "content": {}},
    "poll.updated__tally": {
        "target_message_id": "AC2E", "direction": "internal", "from_me": False,
        "provider_actor_ref": "", "actor_handles": [], "content": {"tally": [
            {"option": "Sexta", "voters": [RITA]}, {"option": "Sábado", "voters": []}]}},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_update_becomes_these_fields(name, expected, drafts):
    draft = drafts(name)[0]

    assert {field: getattr(draft, field) for field in expected} == expected


def test_status_under_phone_and_under_lid_is_one_event(drafts):
    phone = drafts("message.status.delivered__phone")[0]
    lid = drafts("message.status.delivered__lid")[0]

    assert phone.dedup_key == lid.dedup_key
    assert phone.fingerprint() == lid.fingerprint()


@pytest.mark.parametrize(("native", "neutral"), [
    (0, "failed"), (1, "queued"), (2, "sent"), (3, "delivered"), (4, "read"), (5, "played"),
    ("3", "delivered"), ("error", "failed"), ("PLAYED", "played"), ("FAILED", "failed"),
    ("DELETED", None), (None, None), ("", None), ({}, None), (True, None), (9, None)])
def test_status_has_one_neutral_name(native, neutral):
    assert status_name(native) == neutral


def test_edit_inside_an_update_is_an_edit(load, read):
    body = load("message.status.failed__nested")
    body["data"][0]["update"] = {"message": {"editedMessage": {"message": {
        "conversation": "corrigido"}}}}

    draft = read(body)[0]

    assert (draft.event_type, draft.text, draft.target_message_id) == (
        "message.edited", "corrigido", "BAE5E0")


@pytest.mark.parametrize(("chat", "participant", "aliases"), [
    (LID, RITA, [RITA]), (RITA, RITA, []), (LID, OWN, []),
    (RITA, LID, [])])  # a LID may be our own as long as ours is not known
def test_reader_of_our_own_message_is_another_name_of_the_chat(read, chat, participant, aliases):
    draft, = read(update(chat, participant))

    assert draft.conversation_aliases == aliases
    assert len(draft.actor_handles) == 1 + len(aliases)


def test_reader_under_a_lid_is_a_name_of_the_chat_where_our_own_lid_is_known(read):
    draft, = read(update(RITA, LID), own_lid="900000000000009@lid")

    assert draft.conversation_aliases == [LID]


def test_alternative_beside_a_status_is_another_name_of_the_chat(read):
    draft, = read(update(LID, LID, remoteJidAlt=RITA))

    assert draft.conversation_aliases == [RITA]


def update(chat, participant, **more):
    return {"event": "messages.update", "instance": "sol", "sender": OWN, "data": {
        "keyId": "3EB0C9", "remoteJid": chat, "fromMe": True, "participant": participant,
        "status": "READ", "messageId": "row", **more}}
