"""Lists of words are typed with commas between them."""

import pytest
from django.core.exceptions import ValidationError

from omni.admin.words import WordsField


@pytest.mark.parametrize(("typed", "words"), [
    ("vip", ["vip"]), ("vip, partner", ["vip", "partner"]), (" vip ,, vip,partner, ", [
        "vip", "partner"]), ("", []), (None, []), ("two words, one", ["two words", "one"]),
    ("vip\r\npartner", ["vip", "partner"]), ('"Faro, south", eu', ["Faro, south", "eu"]),
    ('["vip", "partner"]', ["vip", "partner"]), ("[]", []), ("é, 日本", ["é", "日本"])])
def test_typed_words_are_a_list(typed, words):
    assert WordsField().to_python(typed) == words


@pytest.mark.parametrize("words", [["vip", "two words"], ["a, b", 'say "hi"'], [], ["[x]"]])
def test_shown_words_are_the_same_words_when_saved(words):
    field = WordsField()

    assert field.to_python(field.prepare_value(words)) == words
    assert not field.has_changed(words, field.prepare_value(words))


@pytest.mark.parametrize("typed", ['{"vip": true}', "[1, 2]", "[vip", "x" * 64,
                                   ",".join(map(str, range(51)))])
def test_what_is_no_list_of_words_is_refused(typed):
    with pytest.raises(ValidationError):
        WordsField().to_python(typed)
