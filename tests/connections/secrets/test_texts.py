"""What pasting wraps around a secret is taken off; what could never prove anything is told."""

import base64

import pytest

from connections.secrets.texts import (
    header_fault,
    key_fault,
    passphrase_fault,
    token_fault,
    unwrapped,
)

KEY = base64.b64encode(b"0123456789abcdef01234567").decode()
SECRET = f"whsec_{KEY}"
PUBLIC = f"whpk_{base64.b64encode(bytes(32)).decode()}"


@pytest.mark.parametrize("pasted", [
    SECRET, f"v1,{SECRET}", f"v1, {SECRET}", f" {SECRET}\r\n", f'"{SECRET}"', f"'{SECRET}'",
    f"“{SECRET}”", f'"v1,{SECRET}"\n', f"\ufeff{SECRET}\u200b",
    f"{SECRET[:20]}\n{SECRET[20:]}", f"` {SECRET} `"])
def test_wrapping_is_taken_off(pasted):
    assert unwrapped(pasted) == SECRET


@pytest.mark.parametrize("text", ["two words", "v1,token", 'say "hi"', '"half', "it's", ""])
def test_what_belongs_to_a_secret_stays(text):
    assert unwrapped(text) == text


@pytest.mark.parametrize("text", ['"in quotes"', "'tis mine'", "“so”"])
def test_quotes_of_a_free_text_belong_to_it(text):
    assert unwrapped(f" {text}\n") == text


@pytest.mark.parametrize("text", ["clé", "a\tb", "plain-token"])
def test_token_a_header_can_carry_has_no_fault(text):
    assert header_fault(text) == ""


@pytest.mark.parametrize("text", [SECRET, KEY, KEY.rstrip("="), PUBLIC, "whsec_" + "A" * 11])
def test_usable_key_has_no_fault(text):
    assert key_fault(text) == ""


@pytest.mark.parametrize(("text", "why"), [
    ("whsec_not base64!", "not base64"), ("letmein please", "not base64"),
    (f"whsec_whsec_{KEY}", "not base64"), ("whsec_AAAA", "3 bytes"), ("whsec_", "0 bytes"),
    (f"whpk_{KEY}", "Ed25519"), (f"whsk_{KEY}", "private key")])
def test_key_that_verifies_nothing_says_why(text, why):
    assert why in key_fault(text)


def test_public_key_cannot_sign():
    assert "signs nothing" in key_fault(PUBLIC, may_be_public=False)


@pytest.mark.parametrize("text", ["one\ntwo", "a\x00b", "鍵"])
def test_token_no_header_can_carry_is_told(text):
    assert "no HTTP header carries" in header_fault(text)


def test_short_passphrase_is_told():
    assert "1 characters" in passphrase_fault("x") and not passphrase_fault("eight888")


@pytest.mark.parametrize(("text", "why"), [("one\ntwo", "header"), ("abc", "3 characters")])
def test_token_is_told_what_is_wrong_with_either_use_of_it(text, why):
    assert why in token_fault(text)
