"""New messages: what is said, by whom, where, and what surrounds it."""

from datetime import UTC, datetime

import pytest

from connections.envelope import Handle

OWN, RITA = "351911000001@s.whatsapp.net", "351922000002@s.whatsapp.net"
RITA_LID, HUGO_LID = "200000000000002@lid", "200000000000003@lid"
OWN_LID = "200000000000001@lid"
GROUP = "120363900000000010@g.us"
PHONE, LID = Handle("phone", "+351922000002"), Handle("lid", RITA_LID, "sol")

ROWS = {
    "message.text__plain": {
        "text": "Bom dia, ainda há pão de centeio?", "dedup_key": "m:AC01",
        "provider_message_id": "AC01", "provider_event_type": "messages.upsert/conversation",
        "direction": "inbound", "source": "live", "from_me": False, "conversation_ref": RITA,
        "conversation_kind": "direct", "provider_actor_ref": RITA, "sender_name": "Rita Moura",
        "contact_handle": "+351922000002", "contact_ref": "", "delivery_status": None,
        "occurred_at": datetime(2026, 3, 2, 9, 15, tzinfo=UTC)},
    "message.text__lid_with_alt": {
        "conversation_ref": RITA_LID, "conversation_aliases": [RITA], "actor_handles": [LID, PHONE],
        "contact_handle": "+351922000002"},
    "message.text__lid_with_sender_pn": {
        "conversation_ref": RITA_LID, "conversation_aliases": [RITA],
        "actor_handles": [LID, PHONE]},
    "message.text__phone_with_sender_lid": {
        "conversation_ref": RITA, "conversation_aliases": [RITA_LID],
        "actor_handles": [PHONE, LID]},
    "message.text__own": {
        "from_me": True, "direction": "outbound", "provider_actor_ref": OWN,
        "sender_name": "Padaria Sol", "contact_ref": RITA_LID, "contact_handles": [LID, PHONE],
        "contact_handle": "+351922000002", "delivery_status": "sent"},
    "message.text__own_recipient_lid": {
        "conversation_aliases": [RITA_LID], "contact_handles": [PHONE, LID],
        "delivery_status": "queued"},
    "message.text__note_to_self": {"conversation_kind": "self", "contact_handle": ""},
    "message.text__group": {
        "conversation_kind": "group", "conversation_ref": GROUP, "conversation_aliases": [],
        "provider_actor_ref": HUGO_LID, "contact_handle": "+351933000003"},
    "message.text__group_mention": {
        "mentions_self": False, "context": {"mentions": [OWN_LID]}, "contact_handle": ""},
    "message.text__version_1": {
        "text": "Isso mesmo", "relation": "replies_to", "target_message_id": "BAE5F0",
        "context": {"quoted": {"message_id": "BAE5F0", "author": OWN, "from_me": True,
                               "kind": "message.text", "text": "Às nove?"}}},
    "message.text__reply": {
        "relation": "replies_to", "target_message_id": "3EB0AA",
        "context": {"quoted": {"message_id": "3EB0AA", "author": OWN, "from_me": True,
                               "kind": "message.image", "text": "Pão de centeio"}}},
    "message.text__story_reply": {
        "context": {"quoted": {"message_id": "3EB0AB", "author": OWN, "from_me": True,
                               "kind": "message.text", "text": "novo forno", "is_story": True}}},
    "message.text__forwarded": {"is_forwarded": True, "context": {"forward": {"score": 3}}},
    "message.text__ad": {"context": {"referral": {
        "title": "Pão quente", "body": "Todos os dias", "source_type": "ad", "source_id": "77",
        "source_url": "https://fb.example.com/77", "click_id": "click-77"}}},
    "message.text__ephemeral_wrapper": {
        "text": "some depois", "context": {"ephemeral_seconds": 86400}},
    "message.text__device_sent": {"text": "do outro telefone", "from_me": True},
    "message.text__status_story": {"conversation_kind": "list", "provider_actor_ref": RITA},
    "message.text__newsletter": {
        "conversation_kind": "channel",
        "actor_handles": [Handle("jid", "120363900000000077@newsletter")]},
    "message.text__broadcast_list": {"conversation_kind": "list"},
    "message.text__link": {"content": {"link": {
        "url": "https://sol.example.org", "title": "Padaria Sol", "description": "Pão"}}},
    "message.text__nulls": {
        "text": "viva", "sender_name": "", "provider_event_type": "messages.upsert/conversation",
        "occurred_at": datetime(2026, 3, 2, 9, 15, tzinfo=UTC)},
    "message.text__messages_array": {
        "text": "um", "occurred_at": datetime(2026, 3, 2, 9, 15, tzinfo=UTC)},
    "message.text__sent_by_api": {
        "source": "echo", "from_me": True, "dedup_key": "m:3EB0C0", "delivery_status": "queued"},
    "message.contact__one": {"text": "Hugo Pinto", "content": {"contacts": [{
        "phones": ["+351933000003"], "emails": ["hugo@example.org"], "full_name": "Hugo Pinto",
        "organization": "Moinho"}]}},
    "message.contact__several": {"text": "Oficina, Ana", "content": {"contacts": [
        {"phones": ["211 000 000"], "full_name": "Oficina"}, {"full_name": "Ana"}]}},
    "message.location__place": {"text": "Padaria Sol", "content": {"location": {
        "latitude": 38.7, "longitude": -9.1, "name": "Padaria Sol", "address": "Rua do Forno 1"}}},
    "message.location__live": {"text": "a chegar", "content": {"location": {
        "latitude": 38.7, "longitude": -9.1, "accuracy_m": 8, "live": True,
        "sequence": 1772442900000000}}},
    "message.poll__v3": {"text": "Que dia?", "content": {"poll": {
        "name": "Que dia?", "options": ["Sexta", "Sábado"], "selectable": 1}}},
    "message.system__album": {"content": {"album": {"images": 3}}},
    "message.system__stub": {"content": {
        "notice": "GROUP_CHANGE_SUBJECT", "parameters": ["Turno"]}},
    "message.encrypted__masked": {"text": None, "content": {
        "unavailable": "hidden from linked devices", "reason": "MASK_LINKED_DEVICES"}},
    "message.encrypted__undecrypted": {"content": {"unavailable": "not decrypted"}},
    "message.edited__secret": {
        "relation": "replaces", "target_message_id": "AC01", "text": None, "from_me": False,
        "content": {"unavailable": "encrypted", "native_type": "secretEncryptedMessage",
                    "encrypted": True, "text_hidden": True}},
    "message.unsupported__new_kind": {"content": {
        "unavailable": "unknown kind", "native_type": "hologramMessage"}},
    "message.unsupported__nothing": {"content": {"unavailable": "no content"}},
    "message.interactive__buttons": {"text": "Confirma?", "content": {"interactive": {
        "form": "buttons", "footer": "Sol",
        "options": [{"id": "1", "title": "Sim"}, {"id": "2", "title": "Não"}]}}},
    "message.interactive__list_in_document_wrapper": {"text": "Escolha", "attachments": []},
    "message.interactive__template": {"text": "Olá!"},
    "message.interactive__payment_card": {"text": None, "content": {"interactive": {
        "form": "card", "options": [{"id": "payment_info"}]}}},
    "message.interactive__product": {"content": {"interactive": {"form": "product"}, "product": {
        "id": "55", "title": "Broa", "price": "2.50", "currency": "EUR", "owner": OWN}}},
    "message.interactive__group_invite": {"text": "entra", "content": {
        "interactive": {"form": "invite"}, "invite": {"conversation": GROUP, "title": "Turno"}}},
    "interaction.button__reply": {
        "text": "Sim", "relation": "answers", "target_message_id": "AC36",
        "content": {"id": "1", "title": "Sim"}},
    "interaction.button__template": {"content": {"id": "more", "title": "Saber mais"}},
    "interaction.button__native_flow": {
        "content": {"id": "ok_1", "title": "Confirmar", "form": "quick_reply"}},
    "interaction.button__cloud": {
        "text": "Sim", "relation": "answers", "target_message_id": "wamid.AC36",
        "dedup_key": "m:wamid.AC3F"},
    "interaction.select__list": {
        "text": "Centeio",
        "content": {"id": "centeio", "title": "Centeio", "description": "500 g"}},
    "interaction.form__flow": {"content": {
        "title": "Sent", "form": "flow", "values": {"size": "M", "qty": 2}}},
    "commerce.order__catalog": {"text": "dois pães", "content": {"order": {
        "id": "901", "title": "Sol", "item_count": 2, "total": "5.90", "currency": "EUR"}}},
    "commerce.payment__request": {"text": "bolo", "content": {"payment": {
        "form": "requestPaymentMessage", "amount": "12.50", "currency": "EUR"}}},
    "calendar.event.created__meeting": {
        "subject": "Prova de bolos", "text": "Tragam fome", "content": {"event": {
            "title": "Prova de bolos", "description": "Tragam fome",
            "starts_at": "2026-03-03T10:30:00+00:00", "join_url": "https://call.example.com/x",
            "location": {"latitude": 38.7, "longitude": -9.1, "name": "Padaria Sol"}}}},
    "message.reaction__heart": {
        "relation": "reacts_to", "target_message_id": "3EB0C0", "dedup_key": "m:AC46",
        "content": {"reaction": {"emoji": "❤️"}}},
    "message.reaction_removed__heart": {
        "relation": "reacts_to", "target_message_id": "3EB0C0",
        "content": {"reaction": {"emoji": ""}}},
    "message.pinned__by_contact": {"relation": "pins", "target_message_id": "AC01"},
    "poll.vote__encrypted": {
        "relation": "votes_on", "target_message_id": "AC2E",
        "content": {"option_ids": [], "action": "set", "encrypted": True}},
    "poll.vote__opened": {"content": {"option_ids": ["Sexta"], "action": "set"}},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_message_becomes_these_fields(name, expected, drafts):
    draft = drafts(name)[0]

    assert {field: getattr(draft, field) for field in expected} == expected


def test_mention_of_the_configured_lid_is_a_mention_of_self(drafts):
    draft = drafts("message.text__group_mention", own_lid=OWN_LID)[0]

    assert draft.mentions_self


def test_chat_with_the_configured_lid_is_the_self_chat(load, read):
    body = load("message.text__note_to_self")
    body["data"]["key"]["remoteJid"] = OWN_LID

    assert read(body, own_lid=OWN_LID)[0].conversation_kind == "self"


def test_phone_and_lid_report_of_one_message_share_the_key(drafts, load, read):
    under_phone = load("message.text__lid_with_alt")
    under_phone["data"]["key"]["remoteJid"] = RITA

    assert read(under_phone)[0].dedup_key == drafts("message.text__lid_with_alt")[0].dedup_key


def test_send_and_its_echo_share_key_and_content(load, read):
    echo = load("message.text__sent_by_api")
    seen = {**echo, "event": "messages.upsert"}

    sent, received = read(echo)[0], read(seen)[0]

    assert (sent.dedup_key, sent.fingerprint()) == (received.dedup_key, received.fingerprint())


def test_message_without_an_id_is_keyed_by_what_it_says(load, read):
    body = load("message.text__plain")
    del body["data"]["key"]["id"]
    first = read(body)[0]
    body["data"]["message"]["conversation"] = "outra coisa"

    other = read(body)[0]

    assert first.dedup_key.startswith("h:") and first.dedup_key != other.dedup_key
    assert first.provider_message_id is None


def test_metadata_keeps_the_native_facts(drafts):
    draft = drafts("message.text__lid_with_alt")[0]

    assert draft.provider_metadata == {
        "instance": "padaria", "device": "android", "message_type": "conversation",
        "addressing": "lid", "alternate": RITA}


def test_wrappers_nested_beyond_measure_end_somewhere(load, read):
    body = load("message.text__plain")
    message = {"conversation": "fundo"}
    for _ in range(30):
        message = {"ephemeralMessage": {"message": message}}
    body["data"]["message"] = message

    assert read(body)[0].event_type == "message.unsupported"


@pytest.mark.parametrize(("number", "event_type"), [
    (1, "message.edited"), ("MESSAGE_EDIT", "message.edited"), (4, "message.edited"),
    (None, "message.edited"), (3, "message.encrypted"), (99, "message.encrypted")])
def test_secret_is_an_edit_where_its_kind_changes_the_target(number, event_type, load, read):
    body = load("message.edited__secret")
    body["data"]["message"]["secretEncryptedMessage"]["secretEncType"] = number

    draft = read(body)[0]

    assert (draft.event_type, draft.target_message_id) == (event_type, "AC01")
    assert draft.content.get("text_hidden", False) is (event_type == "message.edited")


def test_encrypted_answer_to_a_calendar_event_is_an_answer(load, read):
    body = load("message.edited__secret")
    body["data"]["message"] = {"encEventResponseMessage": {
        "eventCreationMessageKey": {"id": "AC50"}, "encPayload": "AQ=="}}

    draft = read(body)[0]

    assert (draft.event_type, draft.relation, draft.target_message_id) == (
        "calendar.reply", "answers", "AC50")
    assert draft.content["encrypted"] is True
