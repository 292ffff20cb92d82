"""Strict parsing: what is accepted, what is refused with which word, and what is repaired."""

import json
import time

import pytest

from connections.payload import (
    MAX_DEPTH,
    MAX_FORM_FIELDS,
    MAX_NODES,
    Unparsable,
    parse_form,
    parse_json,
    sanitize_text,
)
from omni.errors import InvalidInput

DUP, SANITIZED = frozenset({"dup_keys"}), frozenset({"sanitized"})


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("body", [
    b'{"a":1}', b"[]", b"{}", b" [1 , 2]\n", b'"text"', b"42", b"null", b"true", b"-0", b"[1e3]",
    b"[0.1]", b'["\\u0061\\/\\b"]', b'{"":0}', '["\u20ac"]'.encode(), b'["\\uD834\\uDD1E"]',
    b'\t{"a":\r\n[]}', '["\u2028"]'.encode(), b'["\x7f"]', b"[123e65, -1.5E-3]", b'{"a":{},"b":[]}',
])
def test_json_of_the_standard_is_accepted_unchanged(body):
    parsed = parse_json(body)

    assert parsed.value == json.loads(body)
    assert parsed.flags == frozenset()


@pytest.mark.parametrize("body", [
    b'{"a":1}x', b"{'a':1}", b'{"a":1/*c*/}', b"[1,]", b"[,1]", b"[1 2]", b'{"a"}', b'{"a":}',
    b"{a:1}", b"[01]", b"[+1]", b"[.5]", b"[1.]", b"[-]", b"[0x1]", b"[1e]", b"[nan]",
    b"[inf]", b"[+Infinity]", b'["a]', b'["\\x00"]', b'["\\u00g0"]', b'["\n"]', b'["\x00"]',
    b'["\t"]', b"[", b"]", b"[}", b"[1]]", b'{"a":1,,"b":2}', b"tru", b"[True]", b'"', b"{}{}",
    '[\uff11]'.encode(), b"[1\xc2\xa0]", b"\xe2\x80\x83[1]", b'["\\', b"#", b"<a/>", b'{"a":"b"]',
])
def test_anything_else_is_bad_json(body):
    with pytest.raises(Unparsable) as caught:
        parse_json(body)

    assert caught.value.code == "bad_json"


@pytest.mark.parametrize("body", [
    b'["\xff"]', b'["\xc0\x80"]', b'["\xed\xa0\x80"]', b'["\xe2\x82"]', '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-16-le"), '{"a":1}'.encode("utf-16-be"), '{"a":1}'.encode("utf-32"),
])
def test_bytes_that_are_not_utf8_are_named_so(body):
    with pytest.raises(Unparsable) as caught:
        parse_json(body)

    assert caught.value.code == "bad_utf8"


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\xef\xbb\xbf"])
def test_a_body_without_content_is_empty(body):
    with pytest.raises(Unparsable) as caught:
        parse_json(body)

    assert caught.value.code == "empty"


def test_an_unparsable_body_is_invalid_input():
    assert issubclass(Unparsable, InvalidInput)


def test_a_byte_order_mark_is_ignored():
    assert parse_json(b'\xef\xbb\xbf{"a":1}').value == {"a": 1}


def test_of_equal_keys_the_last_one_wins_and_is_flagged():
    parsed = parse_json(b'{"id":1,"x":{"y":1,"y":2},"id":2}')

    assert parsed.value == {"id": 2, "x": {"y": 2}}
    assert parsed.flags == DUP


@pytest.mark.parametrize("number", [
    9007199254740993, 2 ** 63 - 1, -(2 ** 63), 999_999_999_999_999_999, -1])
def test_integers_of_64_bits_stay_exact(number):
    parsed = parse_json(f"[{number}]".encode())

    assert parsed.value == [number]
    assert parsed.flags == frozenset()


@pytest.mark.parametrize("number", [
    "9223372036854775808", "-9223372036854775809", "18446744073709551615", "1" * 4301,
    "0." + "1" * 500])
def test_numbers_too_big_to_keep_become_text(number):
    parsed = parse_json(f'{{"n":{number}}}'.encode())

    assert parsed.value == {"n": number}
    assert parsed.flags == SANITIZED


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_numbers_json_has_no_word_for_become_null(number):
    parsed = parse_json(f'{{"n":{number},"m":1}}'.encode())

    assert parsed.value == {"n": None, "m": 1}
    assert parsed.flags == {"non_finite"}


@pytest.mark.parametrize("charset", ["windows-1252", "ISO-8859-1", "utf-8", "klingon"])
def test_declared_charset_is_asked_about_bytes_that_are_no_utf8(charset):
    parsed = parse_json('{"a":"José €"}'.encode("cp1252"), charset=charset)

    assert parsed.value == {"a": "José €"}


def test_json_stays_utf8_whatever_is_declared():
    assert parse_json('{"a":"José"}'.encode(), charset="iso-8859-1").value == {"a": "José"}


@pytest.mark.parametrize("charset", ["utf-16", "utf-32-be", "iso-2022-jp"])
def test_charset_that_does_not_look_like_ascii_is_read(charset):
    parsed = parse_json('{"a":"日本"}'.encode(charset), charset=charset)

    assert (parsed.value, parsed.flags) == ({"a": "日本"}, frozenset())


@pytest.mark.parametrize(("escaped", "clean"), [
    (rb"a\u0000b", "a\ufffdb"), (rb"\ud800", "\ufffd"), (rb"\udfff\ud800", "\ufffd\ufffd"),
    (rb"\uDBFFx", "\ufffdx")])
def test_unstorable_characters_of_texts_and_keys_are_replaced(escaped, clean):
    parsed = parse_json(b'{"' + escaped + b'":["' + escaped + b'"]}')

    assert parsed.value == {clean: [clean]}
    assert parsed.flags == SANITIZED


@pytest.mark.parametrize("body", [rb'["\ud83d\ude00"]', rb'["\\u0000"]', rb'["\\ud800"]'])
def test_escapes_that_only_look_dangerous_are_not_flagged(body):
    parsed = parse_json(body)

    assert parsed.value == json.loads(body)
    assert parsed.flags == frozenset()


def test_keys_that_become_equal_by_repair_are_flagged():
    parsed = parse_json(rb'{"\ud800":1,"\udfff":2}')

    assert parsed.value == {"\ufffd": 2}
    assert parsed.flags == DUP | SANITIZED


def test_the_deepest_allowed_nesting_is_read():
    value = parse_json(nested(MAX_DEPTH)).value

    depth = 0
    while value is not None:
        value, depth = (value[0] if value else None), depth + 1
    assert depth == MAX_DEPTH


@pytest.mark.parametrize("body", [
    nested(MAX_DEPTH + 1), nested(5_000), nested(100_000), b"[" * 100_000,
    b'{"a":' * 70 + b"1" + b"}" * 70, b'["' + b"x" * 5_000 + b'",' + nested(70) + b"]"])
def test_deeper_nesting_is_refused(body):
    with pytest.raises(Unparsable) as caught:
        parse_json(body)

    assert caught.value.code == "too_deep"


@pytest.mark.parametrize("text", ["[" * 500, "{" * 500, '\\"[' * 500, "[[[]]]," * 30_000])
def test_brackets_inside_texts_are_not_structure(text):
    body = json.dumps({"text": text}).encode()

    assert parse_json(body).value == {"text": text}


@pytest.mark.parametrize("value", [
    [1] * (MAX_NODES - 1), [[]] * (MAX_NODES - 1), {str(n): n for n in range(MAX_NODES - 1)},
    [{"a": 1}] * ((MAX_NODES - 1) // 2)])
def test_the_widest_allowed_structure_is_read(value):
    assert parse_json(json.dumps(value).encode()).value == value


@pytest.mark.parametrize("value", [
    [1] * MAX_NODES, [[]] * MAX_NODES, ["x,"] * MAX_NODES,
    {str(n): n for n in range(200_000)}, [{"a": 1}] * (MAX_NODES // 2 + 1)])
def test_wider_structures_are_refused(value):
    with pytest.raises(Unparsable) as caught:
        parse_json(json.dumps(value).encode())

    assert caught.value.code == "too_many_nodes"


@pytest.mark.parametrize("body", [
    b'["' + rb"\"" * 2_000_000, b"[" + b"[]," * 1_000_000 + b"[]]", b'[1,"' * 500_000,
    b" " * 4_000_000, b'{"a":' * 500_000, b"1" * 2_000_000, b'"\\'],
    ids=["escapes without end", "empty lists", "torn texts", "blanks", "objects", "digits", "torn"])
def test_hostile_bodies_are_settled_within_a_second(body):
    start = time.perf_counter()

    try:
        parse_json(body)
    except Unparsable as exc:
        assert exc.code in ("bad_json", "too_deep", "too_many_nodes", "empty")

    assert time.perf_counter() - start < 1.0


def test_long_texts_are_not_cut():
    text = "A" * 500_000

    assert parse_json(json.dumps([text]).encode()).value == [text]


def test_error_messages_do_not_quote_the_body():
    with pytest.raises(Unparsable) as caught:
        parse_json(b'{"token": hunter2}')

    assert "hunter2" not in str(caught.value)


def test_form_fields_are_decoded_and_repeated_ones_collected():
    parsed = parse_form(b"kind=lead&name=Ana&name=Rui&note=ol%C3%A1+tu&empty=")

    assert parsed.value == {"kind": "lead", "name": ["Ana", "Rui"], "note": "ol\u00e1 tu",
                            "empty": ""}
    assert parsed.flags == DUP


def test_a_form_may_name_another_charset():
    assert parse_form(b"a=%E9", charset="latin-1").value == {"a": "\u00e9"}


@pytest.mark.parametrize(("body", "value"), [
    (b"a=Ol%E1+%80", {"a": "Ol\u00e1 \u20ac"}), (b"Ol\xe1=1", {"Ol\u00e1": "1"}),
    (b"a=%C3%A9&b=%E9", {"a": "\u00c3\u00a9", "b": "\u00e9"}),
    (b"%FF%FEa=1", {"\u00ff\u00fea": "1"}), (b"a=%81", {"a": "\u0081"})])
def test_form_that_is_no_utf8_and_names_no_charset_is_windows_1252(body, value):
    parsed = parse_form(body)

    assert (parsed.value, parsed.flags) == (value, {"charset_guessed"})


def test_unstorable_characters_of_forms_are_replaced():
    parsed = parse_form(b"a=x%00y")

    assert parsed.value == {"a": "x\ufffdy"}
    assert parsed.flags == SANITIZED


@pytest.mark.parametrize(("body", "code"), [
    (b"", "empty"), (b"&".join([b"a=1"] * (MAX_FORM_FIELDS + 1)), "too_many_nodes")])
def test_bad_forms_are_refused_by_name(body, code):
    with pytest.raises(Unparsable) as caught:
        parse_form(body)

    assert caught.value.code == code


def test_clean_text_is_left_alone():
    assert sanitize_text("ol\u00e1 \U0001f600\n") == "ol\u00e1 \U0001f600\n"
