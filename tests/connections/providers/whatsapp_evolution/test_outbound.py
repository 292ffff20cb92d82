"""What is sent, word for word, to a real server on loopback."""

import pytest

from connections.envelope import OutboundMessage
from connections.providers.whatsapp_evolution.adapter import WhatsAppEvolution

RITA = "351922000002@s.whatsapp.net"
GROUP = "120363900000000010@g.us"
KEY = {"id": "AC01", "remoteJid": RITA, "fromMe": False}

ROWS = {
    "text": ({"kind": "text", "text": "Olá"}, "POST", "/message/sendText/sol",
             {"number": RITA, "text": "Olá"}),
    "text with quote and mentions": (
        {"kind": "text", "text": "@351933000003 vê", "quote": True, "target_message_id": "AC01",
         "mentions": ["+351933000003", "200000000000003@lid", "351933000003@s.whatsapp.net",
                      "200000000000003:4@lid"], "mention_everyone": True},
        "POST", "/message/sendText/sol",
        {"number": RITA, "text": "@351933000003 vê", "quoted": {"key": {"id": "AC01"}},
         "mentioned": ["351933000003", "200000000000003@lid"], "mentionsEveryOne": True}),
    "image": ({"kind": "image", "text": "o bolo", "media": {
        "url": "https://files.example.org/b.jpg", "mime": "image/jpeg", "filename": "b.jpg"}},
        "POST", "/message/sendMedia/sol",
        {"number": RITA, "mediatype": "image", "media": "https://files.example.org/b.jpg",
         "mimetype": "image/jpeg", "caption": "o bolo", "fileName": "b.jpg"}),
    "document as data URL": (
        {"kind": "document", "media": {"base64": "data:application/pdf;base64,QUJD"}},
        "POST", "/message/sendMedia/sol",
        {"number": RITA, "mediatype": "document", "media": "QUJD"}),
    "video": ({"kind": "video", "media": {"base64": "QUJD"}}, "POST", "/message/sendMedia/sol",
              {"number": RITA, "mediatype": "video", "media": "QUJD"}),
    "voice note": ({"kind": "audio", "media": {"base64": "QUJD", "voice": True}},
                   "POST", "/message/sendWhatsAppAudio/sol", {"number": RITA, "audio": "QUJD"}),
    "audio file": ({"kind": "audio", "media": {"base64": "QUJD"}},
                   "POST", "/message/sendMedia/sol",
                   {"number": RITA, "mediatype": "audio", "media": "QUJD"}),
    "sticker": ({"kind": "sticker", "media": {"base64": "QUJD"}},
                "POST", "/message/sendSticker/sol", {"number": RITA, "sticker": "QUJD"}),
    "location": ({"kind": "location", "content": {"latitude": 38.7, "longitude": 0}},
                 "POST", "/message/sendLocation/sol",
                 {"number": RITA, "latitude": 38.7, "longitude": 0, "name": "38.7, 0",
                  "address": "38.7, 0"}),
    "contact": ({"kind": "contact", "content": {"contacts": [
        {"full_name": "Hugo", "phone": "+351 933 000 003", "email": "hugo@example.org"}]}},
        "POST", "/message/sendContact/sol",
        {"number": RITA, "contact": [{"fullName": "Hugo", "wuid": "351933000003",
                                      "phoneNumber": "+351933000003",
                                      "email": "hugo@example.org"}]}),
    "poll": ({"kind": "poll", "content": {"name": "Dia?", "options": ["a", "b"], "selectable": 2}},
             "POST", "/message/sendPoll/sol",
             {"number": RITA, "name": "Dia?", "selectableCount": 2, "values": ["a", "b"]}),
    "reaction": ({"kind": "reaction", "target_message_id": "AC01", "content": {"emoji": "👍"}},
                 "POST", "/message/sendReaction/sol", {"key": KEY, "reaction": "👍"}),
    "reaction taken back": ({"kind": "reaction", "target_message_id": "AC01"},
                            "POST", "/message/sendReaction/sol", {"key": KEY, "reaction": ""}),
    "typing": ({"kind": "presence", "content": {"state": "typing", "seconds": 0.5}},
               "POST", "/chat/sendPresence/sol",
               {"number": RITA, "presence": "composing", "delay": 500}),
    "paused": ({"kind": "presence", "content": {"state": "paused"}},
               "POST", "/chat/sendPresence/sol",
               {"number": RITA, "presence": "paused", "delay": 0}),
    "read": ({"kind": "read", "target_message_id": "AC01"},
             "POST", "/chat/markMessageAsRead/sol", {"readMessages": [KEY]}),
    "edit": ({"kind": "edit", "target_message_id": "3EB0", "text": "Abrimos às 8"},
             "POST", "/chat/updateMessage/sol",
             {"number": RITA, "text": "Abrimos às 8",
              "key": {"id": "3EB0", "remoteJid": RITA, "fromMe": True}}),
    "delete": ({"kind": "delete", "target_message_id": "3EB0", "target_from_me": True},
               "DELETE", "/chat/deleteMessageForEveryone/sol",
               {"id": "3EB0", "remoteJid": RITA, "fromMe": True}),
    "delete in a group": (
        {"kind": "delete", "to": GROUP, "target_message_id": "AC08",
         "content": {"participant": "200000000000003@lid"}},
        "DELETE", "/chat/deleteMessageForEveryone/sol",
        {"id": "AC08", "remoteJid": GROUP, "fromMe": False,
         "participant": "200000000000003@lid"}),
}


@pytest.fixture
def send(httpserver, account, settings):
    """Sends one message through the adapter to the loopback server."""
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = True

    def run(message):
        there = account(base_url=httpserver.url_for("/"), credentials={"api_key": "k-1"})
        return WhatsAppEvolution().send(OutboundMessage(**{"to": RITA, **message}), there)

    return run


@pytest.mark.parametrize(("message", "method", "path", "body"), ROWS.values(), ids=ROWS)
def test_message_is_sent_in_these_words(message, method, path, body, send, httpserver):
    httpserver.expect_oneshot_request(
        path, method=method, headers={"apikey": "k-1"}, json=body).respond_with_json(
        {"key": {"id": "3EB0NEW", "remoteJid": RITA, "fromMe": True}, "status": "PENDING"}, 201)

    result = send(message)

    httpserver.check()
    assert (result.status, result.provider_message_id) == ("succeeded", "3EB0NEW")


def test_kinds_that_are_promised_are_the_kinds_that_are_sent():
    assert WhatsAppEvolution.capabilities == {row[0]["kind"] for row in ROWS.values()}


@pytest.mark.parametrize(("to", "number"), [
    ("+351 922 000 002", "351922000002"), ("351922000002", "351922000002"), (RITA, RITA),
    ("200000000000002@lid", "200000000000002@lid"), (GROUP, GROUP)])
def test_jid_is_kept_and_a_phone_becomes_its_digits(to, number, send, httpserver):
    httpserver.expect_oneshot_request(
        "/message/sendText/sol", json={"number": number, "text": "Olá"}).respond_with_json({}, 201)

    result = send({"kind": "text", "text": "Olá", "to": to})

    httpserver.check()
    assert result.status == "succeeded"


@pytest.mark.parametrize(("message", "code"), [
    ({"kind": "text"}, "empty"), ({"kind": "image"}, "empty"), ({"kind": "contact"}, "empty"),
    ({"kind": "location"}, "empty"), ({"kind": "reaction"}, "empty"), ({"kind": "edit"}, "empty"),
    ({"kind": "poll", "content": {"options": ["a"]}}, "bad_poll"),
    ({"kind": "presence", "content": {"state": "dancing"}}, "bad_state"),
    ({"kind": "text", "text": "Olá", "to": "nobody"}, "bad_recipient"),
    ({"kind": "text", "text": "Olá", "to": "Rita 351922000002"}, "bad_recipient"),
    ({"kind": "contact", "content": {"contacts": [{"full_name": "Rita"}]}}, "bad_recipient"),
    ({"kind": "hologram"}, "unsupported")])
def test_what_cannot_be_said_is_rejected_unsent(message, code, send, httpserver):
    result = send(message)

    assert (result.status, result.error_code, result.retryable) == ("rejected", code, False)
    assert httpserver.log == []


def test_instance_name_is_one_part_of_the_path(httpserver, account, settings):
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = True
    there = account(base_url=httpserver.url_for(""), evolution_instance="+351 loja/1",
                    credentials={"api_key": "k-1"})
    httpserver.expect_request("/message/sendText/+351 loja/1").respond_with_json({}, 201)

    WhatsAppEvolution().send(OutboundMessage(kind="text", to=RITA, text="Olá"), there)

    request, _ = httpserver.log[0]
    assert request.environ["REQUEST_URI"] == "/message/sendText/%2B351%20loja%2F1"
