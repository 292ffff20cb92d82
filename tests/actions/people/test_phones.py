import pytest

from actions.people import phones


@pytest.mark.parametrize(("ref", "number"), [
    ("5511988887777@s.whatsapp.net", "5511988887777"),
    ("5511988887777:12@s.whatsapp.net", "5511988887777"),
    ("11988887777@s.whatsapp.net", "5511988887777"),
    ("15551234567@s.whatsapp.net", "5515551234567"),
    ("447700900123@s.whatsapp.net", "447700900123"),
    ("120363041234567890@g.us", "120363041234567890"),
    ("+55 (11) 98888-7777", "5511988887777"),
    ("ana@example.org", ""),
])
def test_chat_keeps_the_number_it_had_before(ref, number):
    assert phones.legacy_digits(ref) == number


@pytest.mark.parametrize("text", ["5511988887777", "+55 (11) 98888-7777", "(11) 98888.7777"])
def test_number_is_recognised_as_people_write_it(text):
    assert phones.is_phone(text)


@pytest.mark.parametrize("text", ["ana", "C024BE91L", "-100123", "", "+", "5511@x"])
def test_other_reference_is_no_phone(text):
    assert not phones.is_phone(text)
