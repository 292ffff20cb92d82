"""What an address means, and which answers of the server are other names of it."""

import pytest

from connections.envelope import Handle, OutboundMessage, Place
from connections.providers.whatsapp_evolution.adapter import WhatsAppEvolution
from connections.providers.whatsapp_evolution.places import handle_of, place_of, same_place

RITA, HIDDEN = "351922000002@s.whatsapp.net", "200000000000002@lid"


@pytest.mark.parametrize("to", [
    "351922000002", "+351922000002", "+351 922 000 002", "(+351) 922-000-002", "351.922.000.002",
    " 351922000002 ", "\u202a+351\u00a0922\u2011000\u2011002\u202c", "٣٥١٩٢٢٠٠٠٠٠٢",
    "whatsapp:+351922000002", "tel:+351-922-000-002", RITA, "351922000002:7@s.whatsapp.net",
    "+351922000002@S.WhatsApp.net"])
def test_phone_however_it_is_written_is_one_direct_chat(to):
    assert place_of(to) == Place(RITA, "direct")


@pytest.mark.parametrize(("to", "kind"), [
    (HIDDEN, "direct"), ("120363900000000010@g.us", "group"),
    ("351922000002-1400000000@g.us", "group"), ("120363900000000099@newsletter", "channel"),
    ("1700000000@broadcast", "list"), ("status@broadcast", "list")])
def test_full_address_stays_and_tells_its_kind(to, kind):
    assert place_of(to) == Place(to, kind)


@pytest.mark.parametrize("number", ["120363900000000010", "351922000002-1400000000"])
def test_number_that_is_too_long_for_a_phone_is_a_group(number):
    assert place_of(number) == Place(f"{number}@g.us", "group")


def test_older_host_of_phones_is_another_name():
    assert place_of("351922000002@c.us") == Place(RITA, "direct", ("351922000002@c.us",))


@pytest.mark.parametrize("to", [
    "Rita", "Rita 351922000002", "rita@example.org", "", "+", "@", "351922000002, 351933000003",
    "351922000002 / 351933000003", "+351922000002+351933000003", "12345;67890", "12345\n67890",
    "351922000002,351933000003@s.whatsapp.net", "351922000002351933000003@s.whatsapp.net",
    "120363 900000 000010"])
def test_what_is_no_address_stays_as_it_stands_and_says_so(to):
    assert place_of(to) == Place(to, fault=f"'{to}' is neither a JID nor a phone number")


@pytest.mark.parametrize(("ref", "handle"), [
    (RITA, Handle("phone", "+351922000002")), (HIDDEN, Handle("lid", HIDDEN, "sol")),
    ("120363900000000010@g.us", None), ("status@broadcast", None), ("351922000002", None),
    ("", None), ("1@s.whatsapp.net", None)])
def test_phones_and_hidden_addresses_are_somebodys(ref, handle):
    assert handle_of(ref, scope="sol") == handle


@pytest.mark.parametrize(("own", "jid", "sure"), [
    ({"owner_jid": RITA}, "351933000003@s.whatsapp.net", True), ({"owner_jid": RITA}, RITA, False),
    ({"owner_jid": RITA}, HIDDEN, False), ({"own_lid": HIDDEN}, "300000000000003@lid", True),
    ({"own_lid": HIDDEN}, HIDDEN, False), ({}, RITA, False)])
def test_address_is_somebody_elses_only_where_our_own_of_its_kind_is_known(account, own, jid, sure):
    assert WhatsAppEvolution().is_surely_not_own(jid, account(**own)) == sure


def test_own_number_is_the_chat_with_oneself(account):
    place = WhatsAppEvolution().place_of("+351 922 000 002", account(owner_jid="351922000002"))

    assert place == Place(RITA, "self")


@pytest.mark.parametrize(("asked", "answered"), [
    (RITA, RITA), ("+351 922 000 002", RITA), (RITA, "351922000002:3@s.whatsapp.net"),
    (RITA, HIDDEN), (HIDDEN, RITA),
    ("5511944443333", "551144443333@s.whatsapp.net"),
    ("551144443333", "5511944443333@s.whatsapp.net"),
    ("5215512345678", "525512345678@s.whatsapp.net"),
    ("5491123456789", "541123456789@s.whatsapp.net")])
def test_number_the_server_found_is_another_name(asked, answered):
    assert same_place(asked, answered) == answered.replace(":3@", "@")


@pytest.mark.parametrize(("asked", "answered"), [
    (RITA, "351922000003@s.whatsapp.net"), (RITA, "120363900000000010@g.us"), (RITA, ""),
    (RITA, "351922000002"), ("120363900000000010@g.us", RITA), (HIDDEN, "300000000000003@lid"),
    ("5511944443333", "5511844443333@s.whatsapp.net"),
    ("5511844443333", "551144443333@s.whatsapp.net"),
    ("3511922000002", "351922000002@s.whatsapp.net")])
def test_any_other_answer_is_not_believed(asked, answered):
    assert same_place(asked, answered) == ""


def test_result_of_a_send_names_the_place_as_the_server_does(here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_json(
        {"key": {"remoteJid": "551144443333@s.whatsapp.net", "fromMe": True, "id": "3EB0"}}, 201)
    message = OutboundMessage(kind="text", to="5511944443333@s.whatsapp.net", text="Olá")

    result = WhatsAppEvolution().send(message, here())

    assert result.conversation_ref == "551144443333@s.whatsapp.net"


@pytest.mark.parametrize(("one", "other", "can_be"), [
    (RITA, RITA, True), (RITA, HIDDEN, True), (HIDDEN, RITA, True),
    ("551144443333@s.whatsapp.net", "5511944443333@s.whatsapp.net", True),
    (RITA, "351922000003@s.whatsapp.net", False), (HIDDEN, "300000000000003@lid", False),
    (HIDDEN, "120363900000000010@g.us", False)])
def test_echo_may_come_under_another_name_of_its_place(one, other, can_be):
    assert WhatsAppEvolution().can_be_same(one, other) is can_be
