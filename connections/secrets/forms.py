"""Takes secrets out of what is stored and shown, in every form a library or a peer may write them.
Pure.

Forms: as given and in either Unicode composition, quoted and escaped as Python, JSON and HTML do,
percent-encoded, as base64 (alone or behind a user name), and as the name of a host. What is cut,
counted, hashed or encrypted is not recognized.
"""

import html
import json
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from connections.secrets.texts import LEAST_CHARACTERS

MASK = "[secret]"
LEAST_ENCODED = 8  # characters of base64 that are taken for a secret
_UNCHANGED = re.compile(r"[A-Za-z0-9._~-]*")  # what no address, quoting or escaping alters
_URL_SIGNS = ("", "/", "!$&'()*+,;=:@/?[]")  # those that quoting may leave: in all, a path, httpx2
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490, 3.1: what divides the labels of a host
_LONGEST_HOST = 253


def pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    """Finds every form of these texts, the longest first, whichever case it is written in."""
    forms = {form for text in secrets if len(text) >= LEAST_CHARACTERS
             for form in _forms(text) if len(form) >= LEAST_CHARACTERS}
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))) or r"(?!)",
                      re.IGNORECASE)


def without(value: Any, secret: re.Pattern[str]) -> Any:
    """Plain data with MASK wherever the pattern finds something."""
    if isinstance(value, str):
        return secret.sub(MASK, value)
    if isinstance(value, Mapping):
        return {without(name, secret): without(item, secret) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without(item, secret) for item in value]
    return value


def _forms(text: str) -> Iterator[str]:
    yield text
    yield from _encoded(text)
    if _UNCHANGED.fullmatch(text):
        return
    yield from _hosts(text)
    for form in {text, re.sub(r"[\t\r\n]", "", text),  # urlsplit drops these from an address
                 unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}:
        yield from (form, repr(form)[1:-1], ascii(form)[1:-1], json.dumps(form)[1:-1],
                    json.dumps(form, ensure_ascii=False)[1:-1], form.replace("\\", "\\\\"),
                    html.escape(form), html.escape(form, quote=False),
                    html.escape(form).replace("&#x27;", "&#39;"),
                    quote_plus(form, errors="replace"))
        yield from (quote(form, safe=signs, errors="replace") for signs in _URL_SIGNS)


def _encoded(text: str) -> Iterator[str]:
    """Base64 of it, with either alphabet: alone, and the part that is the same behind any text,
    which begins at one of three places of a group of letters (RFC 4648, 4).
    """
    plain = text.encode("utf-8", "replace")
    for encode in (b64encode, urlsafe_b64encode):
        found = [encode(plain).decode().rstrip("=")]
        for before in range(3):
            letters = encode(bytes(before) + plain).decode()
            found.append(letters[(0, 2, 3)[before]:(before + len(plain)) * 8 // 6])
        yield from (form for letters in found if len(letters) >= LEAST_ENCODED
                    for form in (letters, quote(letters, safe="")))


def _hosts(text: str) -> Iterator[str]:
    """As a host carries it: RFC 3490 and, letter by letter, RFC 5891."""
    if text.isascii() or len(text) > _LONGEST_HOST:
        return
    try:
        yield text.encode("idna").decode()
    except UnicodeError:
        pass  # it is no host by that RFC
    yield ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
                   for label in _DOTS.split(unicodedata.normalize("NFC", text.lower())))
