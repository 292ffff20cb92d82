"""multipart/form-data is read strictly; a torn form is refused by name."""

import pytest

from connections.payload import MAX_FORM_FIELDS, Unparsable
from connections.providers.webhook.multipart import parse

KIND = 'multipart/form-data; boundary="b-1"'


def form(*parts: tuple[str, bytes], end: bytes = b"--b-1--\r\n") -> bytes:
    return b"".join(b"--b-1\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n"
                    + content + b"\r\n" for head, content in parts) + end


def test_fields_are_read_and_files_described():
    body = form(('name="text"', "ol\u00e1\r\nline 2".encode()),
                ('name="photo"; filename="../a.png"\r\nContent-Type: image/png', b"\x89PNG\x00"))

    value = parse(body, KIND).value

    assert value == {"text": "ol\u00e1\r\nline 2", "files": [
        {"name": "photo", "filename": "../a.png", "mime": "image/png", "size_bytes": 5}]}


@pytest.mark.parametrize("content_type", [
    "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\u00e9",
    f"multipart/form-data; boundary={'b' * 71}", "multipart/form-data; boundary=other"])
def test_without_the_right_boundary_nothing_is_read(content_type):
    with pytest.raises(Unparsable) as caught:
        parse(form(('name="a"', b"1")), content_type)

    assert caught.value.code == "bad_form"


@pytest.mark.parametrize("body", [
    form(('name="a"', b"1"), end=b""), form(('name="a"', b"1"))[:-12], form(("", b"1")), b"--b-1"])
def test_a_torn_form_is_refused(body):
    with pytest.raises(Unparsable) as caught:
        parse(body, KIND)

    assert caught.value.code == "bad_form"


def test_too_many_fields_are_refused():
    with pytest.raises(Unparsable) as caught:
        parse(form(*[('name="a"', b"1")] * (MAX_FORM_FIELDS + 1)), KIND)

    assert caught.value.code == "too_many_nodes"


@pytest.mark.parametrize("part", [('name="a"', b"\xe9"), ('name="NAME"', b"a")])
def test_field_that_is_no_utf8_and_names_no_charset_is_windows_1252(part):
    parsed = parse(form(part).replace(b"NAME", b"\xe9"), KIND)

    assert parsed.flags == {"charset_guessed"}
    assert "\u00e9" in (*parsed.value, *parsed.value.values())


@pytest.mark.parametrize("charset", ["idna", "punycode", "nonsense"])
def test_file_named_by_its_content_type_in_an_odd_charset_is_read(charset):
    part = (f'name="a"\r\nContent-Type: text/plain; name*={charset}\'\'x.txt', b"1")

    [file] = parse(form(part), KIND).value["files"]

    assert file["filename"] == "x.txt"
