"""Presence, calls, the bot builder, and the life of the account."""

from datetime import UTC, datetime

import pytest

OWN, RITA = "351911000001@s.whatsapp.net", "351922000002@s.whatsapp.net"
RITA_LID, HUGO_LID = "200000000000002@lid", "200000000000003@lid"
GROUP = "120363900000000010@g.us"

ROWS = {
    "presence.typing__direct": {
        "conversation_ref": RITA_LID, "provider_actor_ref": RITA_LID,
        "content": {"state": "composing"}, "direction": "inbound"},
    "presence.recording__group": {"conversation_ref": GROUP, "provider_actor_ref": HUGO_LID},
    "presence.available__paused": {"content": {"state": "paused"}},
    "presence.unavailable__last_seen": {
        "content": {"state": "unavailable", "last_seen": "2026-03-02T09:00:00+00:00"}},
    "call.offered__video": {
        "dedup_key": "c:CALL1:call.offered", "conversation_ref": RITA_LID,
        "provider_actor_ref": RITA_LID,
        "occurred_at": datetime(2026, 3, 2, 9, 14, 58, tzinfo=UTC),
        "content": {"call": {"id": "CALL1", "video": True, "group": False}}},
    "call.missed__group_reject": {"conversation_ref": GROUP, "conversation_kind": "group"},
    "connection.opened__paired": {
        "direction": "internal", "error_code": None, "content": {"connection": {
            "state": "open", "reason": 200, "account": OWN, "profile_name": "Sol"}}},
    "connection.degraded__connecting": {"error_code": None},
    "connection.closed__restart": {"error_code": "428"},
    "connection.revoked__status_instance": {
        "error_code": "401", "occurred_at": datetime(2026, 3, 2, 9, 14, tzinfo=UTC)},
    "connection.qr__code": {"content": {"connection": {"state": "waiting for scan"}}},
    "connection.limited__qr": {
        "error_code": "500", "text": "QR code limit reached, please login again"},
    "connection.revoked__logout": {"content": {"connection": {"state": "logged out"}}},
    "record.created__instance": {"content": {"record": {"type": "instance", "name": "padaria"}}},
    "job.started__typebot": {
        "conversation_ref": RITA, "content": {"job": {"type": "typebot", "name": "encomendas"}}},
    "job.progress__typebot_paused": {"content": {"job": {
        "type": "typebot", "name": "encomendas", "status": "paused"}}},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_happening_becomes_these_fields(name, expected, drafts):
    draft = drafts(name)[0]

    assert {field: getattr(draft, field) for field in expected} == expected


def test_each_person_of_a_presence_is_an_event(drafts):
    found = drafts("presence.recording__group")

    assert [draft.event_type for draft in found] == ["presence.recording", "presence.typing"]


def test_ringing_repeats_the_offer(drafts):
    offer, ringing = (drafts(f"call.offered__{name}")[0] for name in ("video", "ringing"))

    assert (offer.dedup_key, offer.fingerprint()) == (ringing.dedup_key, ringing.fingerprint())


def test_two_qr_codes_are_two_events(load, read):
    body = load("connection.qr__code")
    first = read(body)[0]
    body["data"]["qrcode"]["code"] = "2@another"

    assert read(body)[0].dedup_key != first.dedup_key


def call(**fields):
    return {"event": "call", "instance": "sol", "sender": OWN,
            "data": {"id": "CALL9", "status": "offer", "from": RITA_LID, **fields}}


@pytest.mark.parametrize(("fields", "place", "aliases", "values"), [
    ({"chatId": RITA_LID, "callerPn": RITA}, RITA_LID, [RITA], [RITA_LID, "+351922000002"]),
    ({"chatId": RITA, "callerPn": RITA}, RITA, [RITA_LID], [RITA_LID, "+351922000002"]),
    ({"chatId": GROUP, "groupJid": GROUP, "isGroup": True, "callerPn": RITA}, GROUP, [],
     [RITA_LID, "+351922000002"]),
    ({"chatId": RITA_LID, "callerPn": OWN}, RITA_LID, [], [RITA_LID]),
    ({"chatId": RITA_LID, "from": OWN, "callerPn": OWN}, RITA_LID, [], ["+351911000001"])])
def test_call_hands_on_both_addresses_of_who_calls(read, fields, place, aliases, values):
    draft, = read(call(**fields))

    assert (draft.conversation_ref, draft.conversation_aliases) == (place, aliases)
    assert [handle.value for handle in draft.actor_handles] == values


@pytest.mark.parametrize(("who", "aliases"), [(RITA, [RITA]), (RITA_LID, []), (OWN, [])])
def test_who_types_in_a_direct_chat_is_another_name_of_it(read, who, aliases):
    draft, = read({"event": "presence.update", "instance": "sol", "sender": OWN, "data": {
        "id": RITA_LID, "presences": {who: {"lastKnownPresence": "composing"}}}})

    assert draft.conversation_aliases == aliases
