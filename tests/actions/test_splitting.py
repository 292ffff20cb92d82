import pytest

from actions import splitting


@pytest.mark.parametrize(("text", "parts"), [
    ("one", ["one"]),
    ("one\ntwo", ["one\ntwo"]),
    ("one\n\ntwo", ["one", "two"]),
    ("one\n \t\n\n  two\r\n\r\nthree", ["one", "two", "three"]),
    ("\n\n one \n\n", ["one"]),
    ("  ", []),
])
def test_blank_lines_begin_a_new_message(text, parts):
    assert splitting.split(text) == parts


def test_text_stays_whole_when_splitting_is_off():
    assert splitting.split("one\n\ntwo", enabled=False) == ["one\n\ntwo"]


def test_what_is_beyond_the_last_message_stays_in_it():
    text = "\n\n".join(str(number) for number in range(50))

    parts = splitting.split(text)

    assert len(parts) == splitting.MAX_PARTS and parts[-1].endswith("49")


@pytest.mark.parametrize(("text", "mentions"), [
    ("hi @5511988887777!", ["5511988887777"]),
    ("@5511988887777 @5511988887777 @447700900123", ["5511988887777", "447700900123"]),
    ("mail ana@5511988887777", []),
    ("@ana @123", []),
    ("@12345678901234567890", []),
])
def test_numbers_after_an_at_sign_are_mentions(text, mentions):
    assert splitting.mentions_in(text) == mentions


def test_pause_is_the_same_again_for_the_same_key():
    first = splitting.pause_before("omni:1:2", least=0.3, most=1.0)
    again = splitting.pause_before("omni:1:2", least=0.3, most=1.0)

    assert first == again and 0.3 <= first <= 1.0


def test_pauses_differ_between_parts():
    pauses = {splitting.pause_before(f"omni:1:{n}", least=0.3, most=1.0) for n in range(5)}

    assert len(pauses) == 5
