import pytest

from connections.names import best, is_oneself, is_real


@pytest.mark.parametrize("word", ["You", "você", "VOCÊ", "Tú", "Vous", "Du", "Tu", "Eu", "Ich",
                                  " (You) ", "~Você", "あなた", "Εσείς", "Voce\u0302",
                                  "voc\u00ea\u200d", "\u2068Voc\u00ea\u2069"])
def test_word_for_oneself_is_no_name(word):
    assert is_oneself(word) and not is_real(word)


@pytest.mark.parametrize("text", ["", "  ", "5511944443333", "+55 (11) 94444-3333",
                                  "\u202a+55\u00a011\u00a094444\u20113333\u202c",
                                  "5511944443333@s.whatsapp.net", "200000000000002@lid",
                                  "tel:+351922000002", "Tel: 922 000 002", ".", " - ", "\u200e",
                                  "$", "null", "undefined"])
def test_number_address_and_lone_signs_are_no_name(text):
    assert not is_real(text)


@pytest.mark.parametrize("name", ["Rita", "Loja 24", "5511944443333 Rita", "Duarte", "Youssef",
                                  "🌸", "👩\u200d👧", "24h", "Null Byte", "rita@example.org", "李",
                                  "Ты"])
def test_other_text_is_a_name(name):
    assert is_real(name)


@pytest.mark.parametrize(("names", "name"), [
    (["", "007", "You", "Rita", "Ritinha"], "Rita"), (["You", "007"], "007"),
    (["+351 922 000 002", "You"], ""), ([], "")])
def test_best_name_is_the_first_real_one(names, name):
    assert best(names, handles=["+351922000002", "200000000000002@lid"]) == name
