"""Contacts, chats, groups, members and labels."""

import pytest

from connections.envelope import Handle

OWN, RITA = "351911000001@s.whatsapp.net", "351922000002@s.whatsapp.net"
RITA_LID, HUGO_LID = "200000000000002@lid", "200000000000003@lid"
GROUP = "120363900000000010@g.us"
PHONE, LID = Handle("phone", "+351922000002"), Handle("lid", RITA_LID, "sol")

ROWS = {
    "contact.created__history": {
        "source": "history", "contact_ref": RITA, "contact_name": "Rita", "direction": "internal",
        "contact_handles": [PHONE], "content": {"name": "Rita"}, "provider_actor_ref": ""},
    "contact.updated__version_1": {"content": {"picture_url": "https://pps.example.net/r.jpg"}},
    "contact.updated__object_lid": {"contact_handles": [LID], "contact_handle": ""},
    "conversation.updated__group_as_contact": {
        "conversation_ref": GROUP, "conversation_kind": "group", "conversation_title": "Turno"},
    "conversation.created__chats_set": {
        "source": "history", "conversation_ref": RITA, "conversation_title": "Rita"},
    "conversation.created__chats_upsert": {
        "source": "live", "content": {"changes": {"title": "Rita", "unread": 5}}},
    "conversation.deleted__two": {"conversation_ref": RITA, "contact_handles": [PHONE]},
    "conversation.created__new_group": {
        "conversation_title": "Turno", "provider_actor_ref": HUGO_LID, "content": {"changes": {
            "title": "Turno", "owner": "351933000003@s.whatsapp.net", "participants": [
                {"ref": HUGO_LID, "phone": "+351933000003", "role": "superadmin"},
                {"ref": "200000000000001@lid", "phone": "+351911000001"}]}}},
    "conversation.updated__group_subject": {
        "conversation_title": "Turno da noite", "direction": "inbound",
        "content": {"changes": {"title": "Turno da noite"}}},
    "conversation.updated__group_description": {
        "content": {"changes": {"description": "quem abre"}}},
    "conversation.updated__label": {
        "conversation_ref": RITA, "content": {"label": {"id": "4", "action": "added"}}},
    "record.updated__label": {"content": {"record": {
        "type": "label", "id": "4", "name": "Comprou", "color": 2}}},
    "participant.joined__strings": {
        "conversation_ref": GROUP, "provider_actor_ref": HUGO_LID, "contact_ref": RITA_LID,
        "content": {"participant": RITA_LID, "action": "add"}},
    "participant.left__by_themselves": {
        "provider_actor_ref": RITA_LID, "actor_handles": [LID, PHONE], "contact_name": "Rita",
        "contact_handle": "+351922000002"},
    "participant.updated__promoted": {
        "from_me": True, "direction": "outbound", "provider_actor_ref": OWN,
        "content": {"participant": RITA_LID, "action": "promote", "role": "admin"}},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_change_of_the_lists_becomes_these_fields(name, expected, drafts):
    draft = drafts(name)[0]

    assert {field: getattr(draft, field) for field in expected} == expected


@pytest.mark.parametrize("name", ["participant.joined__strings", "conversation.deleted__two"])
def test_each_of_two_is_an_event(name, drafts):
    found = drafts(name)

    assert len(found) == 2 and found[0].dedup_key != found[1].dedup_key


def test_group_without_a_known_author_has_no_actor(load, read):
    body = load("participant.joined__strings")
    body["data"]["author"] = None

    assert read(body)[0].provider_actor_ref == ""


@pytest.mark.parametrize(("event", "data"), [
    ("groups.upsert", [{"id": GROUP, "participants": [
        {"id": RITA_LID, "phoneNumber": RITA}, {"id": HUGO_LID},
        {"id": "200000000000001@lid", "phoneNumber": OWN}]}]),
    ("groups.upsert", [{"id": GROUP, "owner": RITA_LID, "ownerPn": RITA}]),
    ("group-participants.update", {"id": GROUP, "action": "add", "participants": [RITA_LID],
                                   "participantsData": [{"jid": RITA_LID, "phoneNumber": RITA}]}),
    ("group-participants.update", {"id": GROUP, "action": "add", "author": RITA_LID,
                                   "authorPn": RITA, "participants": [HUGO_LID]}),
    ("contacts.upsert", [{"id": RITA_LID, "phoneNumber": RITA}])])
def test_addresses_that_stand_together_are_handed_on_as_one_person(read, event, data):
    draft, = read({"event": event, "instance": "sol", "sender": OWN, "data": data})

    assert draft.places_together == [[RITA_LID, RITA]]
    assert draft.people_together == [[LID, PHONE]]


def test_author_of_a_group_message_is_one_person_under_both_addresses(read):
    draft, = read({"event": "messages.upsert", "instance": "sol", "sender": OWN, "data": {
        "key": {"remoteJid": GROUP, "fromMe": False, "id": "A1", "participant": RITA_LID,
                "participantAlt": RITA}, "message": {"conversation": "oi"}}})

    assert draft.places_together == [[RITA_LID, RITA]] and draft.conversation_aliases == []
    assert draft.actor_handles == [LID, PHONE]
