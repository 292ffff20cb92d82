"""An item nobody can read costs itself alone; odd charsets cost nothing at all."""

import pytest

from connections.providers.whatsapp_evolution import mapping
from events.models import Event, RawPayload
from tests.events.deliveries import make_shop
from tests.factories import evolution_text, make_evolution, post_delivery

pytestmark = pytest.mark.django_db
TOKEN = {"x-webhook-token": "t" * 20}


def card(charset):
    return {"contactMessage": {"displayName": "José", "vcard": "\n".join([
        "BEGIN:VCARD", "VERSION:2.1",
        f"N;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:Jos=E9;;;",
        "TEL;waid=351922000002:+351", "END:VCARD"])}}


def batch(*items):
    return {**evolution_text("M0"), "data": [item["data"] for item in items]}


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode", "hex", "utf-7", "utf-16",
                                     "unicode_escape", "x-none", "ISO-8859-1"])
def test_card_in_any_charset_arrives_with_the_texts_beside_it(client, charset):
    post_delivery(client, make_evolution(), batch(
        evolution_text("M1"), evolution_text("M2", message=card(charset)), evolution_text("M3")))

    assert RawPayload.objects.get().quarantine_reason == ""
    kinds = dict(Event.objects.values_list("provider_message_id", "event_type"))
    assert kinds == {"M1": "message.text", "M2": "message.contact", "M3": "message.text"}
    [found] = Event.objects.get(provider_message_id="M2").content["contacts"]
    assert found["phones"] == ["+351922000002"]
    assert charset == "utf-16" or found["full_name"] == "José"


def test_item_whose_mapping_fails_is_unmapped_with_its_reason_and_the_rest_arrives(
        client, monkeypatch):
    read = mapping.READERS["messages.upsert"]

    def fragile(item, frame, path):
        if item["key"]["id"] == "M2":
            raise UnicodeError("a fault of ours")
        return read(item, frame, path)

    monkeypatch.setitem(mapping.READERS, "messages.upsert", fragile)
    post_delivery(client, make_evolution(), batch(*map(evolution_text, ("M1", "M2", "M3"))))

    assert RawPayload.objects.get().quarantine_reason == ""
    texts = Event.objects.filter(event_type="message.text")
    assert set(texts.values_list("provider_message_id", flat=True)) == {"M1", "M3"}
    unmapped = Event.objects.get(event_type="event.unmapped")
    assert unmapped.content == {"reason": "the mapping failed: UnicodeError"}
    assert (unmapped.raw_index, unmapped.context["flags"]) == (1, ["mapping_error"])


def test_delivery_none_of_whose_items_can_be_mapped_is_a_dead_letter(client, monkeypatch):
    monkeypatch.setitem(mapping.READERS, "messages.upsert", lambda *item: {}["key"])
    post_delivery(client, make_evolution(), batch(*map(evolution_text, ("M1", "M2"))))

    assert RawPayload.objects.get().quarantine_reason == "mapping_error"
    assert not Event.objects.exists()


@pytest.mark.parametrize("name", [b"filename*=idna''Jos%E9", b"filename*=undefined''Jos%E9",
                                  b"filename*=iso-8859-1''Jos%E9", b"filename*=x-none''Jos%E9"])
def test_file_name_of_a_form_in_any_charset_is_read(client, name):
    body = (b'--b\r\nContent-Disposition: form-data; name="f"; ' + name + b"\r\n\r\nx\r\n"
            b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--b--\r\n')
    post_delivery(client, make_shop(mapping={"text": "text"}), body,
                  content_type="multipart/form-data; boundary=b", **TOKEN)

    assert RawPayload.objects.get().quarantine_reason == ""
    assert Event.objects.get().content["fields"]["files"][0]["filename"] == "José"


def test_file_name_in_endlessly_many_pieces_is_a_bad_form(client):
    body = (b"--b\r\nContent-Disposition: form-data; name=f; filename*" + b"9" * 5000
            + b"*=x\r\n\r\nx\r\n--b--\r\n")
    post_delivery(client, make_shop(), body, content_type="multipart/form-data; boundary=b",
                  **TOKEN)

    assert RawPayload.objects.get().quarantine_reason == "bad_form"
