"""Contact cards as phones write them: escapes, folds, parameters, groups, quoted-printable."""

import time

import pytest

from connections.providers.whatsapp_evolution.vcard import read_vcard


def card(*lines, end="\n"):
    return end.join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD"])


@pytest.mark.parametrize(("lines", "facts"), [
    (["FN:Rita Moura"], {"full_name": "Rita Moura"}),
    ([r"FN:Moura\, Rita\; Lda \\ Filhos"], {"full_name": r"Moura, Rita; Lda \ Filhos"}),
    ([r"ORG:Padaria\nSol"], {"organization": "Padaria\nSol"}),
    ([r"ORG:Sol\; Lda;Vendas;"], {"organization": "Sol; Lda;Vendas"}),
    (["N:Moura;Rita;M.;Dra.;", "TEL:1"], {"full_name": "Dra. Rita M. Moura", "phones": ["1"]}),
    (["FN:", r"N:Silva\;Sousa;Ana;;;"], {"full_name": "Ana Silva;Sousa"}),
    (["TEL;type=CELL;type=VOICE;waid=351922000002:+351 922 000 002"],
     {"phones": ["+351922000002"]}),
    (['TEL;TYPE="cell,voice";WAID="351922000002":+351 922'], {"phones": ["+351922000002"]}),
    (['TEL;X-LABEL="work: main; 2nd":211 000 000'], {"phones": ["211 000 000"]}),
    (["TEL;CELL;PREF:211 000 000"], {"phones": ["211 000 000"]}),
    (["TEL;VALUE=uri:tel:+351-922"], {"phones": ["+351-922"]}),
    (["TEL;VALUE=uri:TEL:+351922"], {"phones": ["+351922"]}),
    (["TEL;VALUE=uri:tel:+351-922;ext=5"], {"phones": ["+351-922"]}),
    (["TEL;TYPE=work;VALUE=\"uri\":tel:922;phone-context=+351"], {"phones": ["922"]}),
    (["TEL:211 000 000;5"], {"phones": ["211 000 000;5"]}),
    (["item1.TEL;waid=351922000002:+351", "item1.X-ABLabel:Telemóvel", "item2.EMAIL:a@b.pt",
      r"item3.URL:https\://sol.pt/a"],
     {"phones": ["+351922000002"], "emails": ["a@b.pt"], "url": "https://sol.pt/a"}),
    (["work-1.TEL:7", "tel:7", "Tel:8"], {"phones": ["7", "8"]}),
    (["FN:Rita", " Mo", "\tura", "TEL;waid=35192", " 2000002:+351 922"],
     {"full_name": "RitaMoura", "phones": ["+351922000002"]}),
    (["FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Jos=C3=A9=20da=", " =C3=81gua"],
     {"full_name": "José da Água"}),
    (["FN;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Jos=E9"], {"full_name": "José"}),
    (["FN;ENCODING=QUOTED-PRINTABLE;CHARSET=x-none:Jos=C3=A9"], {"full_name": "José"}),
    (["FN:a=", "TEL:1"], {"full_name": "a=", "phones": ["1"]}),
    (["NOTE:no fact", "no property", "", ":", ";:", 'TEL;TYPE="open:1'], {}),
    (["END:VCARD", "BEGIN:VCARD", "TEL:2"], {}),
])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_card_says_these_facts(lines, facts, end):
    assert read_vcard(card(*lines, end=end)) == facts


@pytest.mark.parametrize("text", ["", "no card", "FN:half a", "\\" * 999, 'TEL;"' * 20_000 + ":1",
                                  "FN;a" * 30_000, "ORG:" + "\\;" * 50_000, "\n " * 50_000,
                                  "FN;QUOTED-PRINTABLE:=\n" * 5_000])
def test_any_text_is_read_in_no_time(text):
    start = time.perf_counter()

    read_vcard(text)

    assert time.perf_counter() - start < 1
