"""Addresses: what they name, and which two are one person."""

import pytest

from connections.providers.whatsapp_evolution import identity

OWN = "351911000001@s.whatsapp.net"


@pytest.mark.parametrize(("jid", "bare"), [
    ("351922000002:12@s.whatsapp.net", "351922000002@s.whatsapp.net"),
    ("200000000000002:3@lid", "200000000000002@lid"), (" 1@G.US ", "1@g.us"),
    ("351922000002", "351922000002"), (None, ""), ({}, ""), ("@lid", "@lid")])
def test_address_is_told_without_its_device(jid, bare):
    assert identity.bare(jid) == bare


@pytest.mark.parametrize(("jid", "phone"), [
    ("351922000002@s.whatsapp.net", "+351922000002"), ("351922000002@c.us", "+351922000002"),
    ("200000000000002@lid", ""), ("0@s.whatsapp.net", ""), ("٣٤٥٦٧٨@s.whatsapp.net", ""),
    ("351922000002", ""), ("", "")])
def test_only_a_phone_address_has_a_phone(jid, phone):
    assert identity.phone_of(jid) == phone


@pytest.mark.parametrize(("jid", "kind"), [
    (OWN, "self"), ("351922000002@s.whatsapp.net", "direct"), ("200000000000002@lid", "direct"),
    ("351922000002-1496697529@g.us", "group"), ("1@newsletter", "channel"), ("1@broadcast", "list"),
    ("status@broadcast", "list"), ("1@bot", "direct"), ("1@elsewhere", ""), ("", "")])
def test_domain_tells_the_kind_of_conversation(jid, kind):
    assert identity.chat_kind(jid, own=frozenset({OWN})) == kind


def test_own_address_is_never_an_alias_of_the_other_side():
    key = {"remoteJid": "200000000000002@lid", "fromMe": True, "senderPn": OWN}

    place = identity.read_key(key, own=frozenset({OWN}))

    assert place.peer == ["200000000000002@lid"]


@pytest.mark.parametrize(("from_me", "field"), [
    (True, "senderLid"), (True, "senderPn"), (False, "recipientLid"), (False, "recipientPn")])
@pytest.mark.parametrize("chat", ["351922000002@s.whatsapp.net", "200000000000002@lid"])
def test_own_address_nobody_configured_is_not_an_alias_either(from_me, field, chat):
    """Servers 2.3.0 to 2.3.4 name the account itself beside the chat."""
    other = "900000000000009@lid" if field.endswith("Lid") else "351900000009@s.whatsapp.net"

    place = identity.read_key({"remoteJid": chat, "fromMe": from_me, field: other},
                              own=frozenset())

    assert place.aliases == []


def test_alternative_of_the_same_kind_is_not_an_alias():
    key = {"remoteJid": "351922000002@s.whatsapp.net", "fromMe": False,
           "remoteJidAlt": "351922000002@s.whatsapp.net", "addressingMode": "lid"}

    assert identity.read_key(key, own=frozenset()).aliases == []
