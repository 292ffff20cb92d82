"""Bodies in any charset and with any number become events; the archive keeps their bytes."""

import pytest

from events.models import Event, RawPayload
from tests.factories import make_webhook, proof

pytestmark = pytest.mark.django_db
NAME = "José Ünal €"
FORM, TEXT = "application/x-www-form-urlencoded", "text/plain"
WEST = "windows-1252"


def form(charset):
    return f"name={NAME}&n=1".replace(" ", "+").encode(charset)


def part(value, *, head=b"", name=b"name"):
    return (b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n' + head + b"\r\n"
            + value + b"\r\n")


def stored(client, body, content_type):
    """(content, flags) of the one event `body` became."""
    shop = make_webhook()
    # `generic`, because the client's `post` writes bytes anew in a declared charset.
    answer = client.generic("POST", f"/webhooks/webhook/{shop.slug}/", body, content_type,
                            headers=proof("webhook"))
    assert answer.status_code == 202, answer.content
    raw = RawPayload.objects.get()
    assert bytes(raw.body) == body and raw.quarantine_reason == ""
    return Event.objects.get().content, raw.flags


@pytest.mark.parametrize(("body", "content_type", "flags"), [
    (form(WEST), f"{FORM}; charset={WEST}", []),
    (b"name=Jos%E9+%DCnal+%80&n=1", f'{FORM};charset="Windows-1252"', []),
    (form(WEST), f"{FORM}; charset=iso-8859-1", []),
    (form("utf-8"), f"{FORM}; charset=utf-8", []),
    (form("utf-16"), f"{FORM}; charset=utf-16", []),
    (form(WEST), f"{FORM}; charset=utf-8", ["charset_guessed"]),
    (form("utf-8"), f"{FORM}; charset=iso-8859-1", ["charset_guessed"]),
    (form("utf-8"), f"{FORM}; charset=klingon", ["charset_unknown"]),
    (form(WEST), f"{FORM}; charset=unicode_escape", ["charset_unknown"])])
def test_form_is_read_in_its_charset(client, body, content_type, flags):
    assert stored(client, body, content_type) == ({"fields": {"name": NAME, "n": "1"}}, flags)


def test_form_may_name_its_charset_in_a_field(client):
    content, _ = stored(client, form(WEST) + b"&_charset_=windows-1252", FORM)

    assert content["fields"]["name"] == NAME


@pytest.mark.parametrize("body", [
    part(NAME.encode(WEST), head=b"Content-Type: text/plain; charset=windows-1252\r\n"),
    part(NAME.encode(WEST)) + part(b"windows-1252", name=b"_charset_"),
    part(NAME.encode())])
def test_part_of_a_form_is_read_in_its_charset(client, body):
    content, flags = stored(client, body + b"--x--\r\n", "multipart/form-data; boundary=x")

    assert (content["fields"]["name"], flags) == (NAME, [])


def test_name_of_a_file_is_read_in_the_charset_of_the_form(client):
    body = (b'--x\r\nContent-Disposition: form-data; name="f"; filename="caf\xe9.txt"\r\n\r\n'
            b"a\r\n--x--\r\n")

    content, _ = stored(client, body, f"multipart/form-data; boundary=x; charset={WEST}")

    assert content["fields"]["files"][0]["filename"] == "café.txt"


@pytest.mark.parametrize(("body", "content_type", "flags"), [
    (NAME.encode(WEST), f"{TEXT}; charset=iso-8859-1", []),
    (NAME.encode("utf-8"), TEXT, []),
    (NAME.encode("utf-16"), TEXT, []),
    (NAME.encode(WEST), TEXT, ["charset_guessed"]),
    ("Привет".encode("koi8-r"), f"{TEXT}; charset=KOI8-R", []),
    ("日本語".encode("shift_jis"), f"{TEXT}; charset=Shift_JIS", []),
    (NAME.encode("utf-8"), f"{TEXT}; charset=rot13", ["charset_unknown"]),
    (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>Jos\xe9</a>', "application/xml", []),
    (b'<?xml version="1.0" encoding="koi8-r"?><a>Jos\xe9</a>', f"text/xml; charset={WEST}", []),
    (b'<meta charset="windows-1252"><p>Jos\xe9</p>', "text/html", [])])
def test_text_is_read_in_its_charset(client, body, content_type, flags):
    content, found = stored(client, body, content_type)

    words = (NAME, "Привет", "日本語", "José<")
    assert any(word in content["text_excerpt"] for word in words), content
    assert found == flags


@pytest.mark.parametrize(("charset", "declared", "flags"), [
    ("utf-8", "iso-8859-1", []), (WEST, WEST, []), (WEST, "utf-8", ["charset_guessed"]),
    ("utf-16", "utf-16", []), (WEST, "nonsense", ["charset_unknown"])])
def test_json_with_a_declared_charset_is_an_event(client, charset, declared, flags):
    body = f'{{"name": "{NAME}"}}'.encode(charset)

    assert stored(client, body, f"application/json; charset={declared}") == (
        {"payload": {"name": NAME}}, flags)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1E+400"])
def test_number_json_has_no_word_for_is_null_and_flagged(client, number):
    content, flags = stored(client, b'{"id": "o-1", "sum": ' + number + b"}", "application/json")

    assert (content, flags) == ({"payload": {"id": "o-1", "sum": None}}, ["non_finite"])


@pytest.mark.parametrize("word", [b"NaN", b"Infinity"])
def test_text_that_is_only_such_a_word_stays_text(client, word):
    content, flags = stored(client, word, TEXT)

    assert (content["text_excerpt"], flags) == (word.decode(), [])


def test_number_too_large_for_a_column_is_text(client):
    content, flags = stored(client, b'{"a": 123456789012345678901234567890}', "application/json")

    assert (content["payload"]["a"], flags) == ("123456789012345678901234567890", ["sanitized"])
