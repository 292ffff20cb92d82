"""Bytes become text by the charset a sender declares; a wrong one costs a flag, never the delivery.

A declared charset that is not known, or that the bytes do not fit, gives way to UTF-8, then to
windows-1252. Pure.
"""

import codecs
import re

UNKNOWN, GUESSED = "charset_unknown", "charset_guessed"
Text = tuple[str, frozenset[str]]  # the text; flags

_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^"';\s]{1,40})""", re.IGNORECASE)
_PROLOG = re.compile(rb"""\s*<\?xml[^>]{1,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_META = re.compile(rb"""<meta[^>]{1,200}?charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""",
                   re.IGNORECASE)
_HEAD = 1024  # bytes in which HTML says its charset
_TEXTUAL = re.compile(r"text/.*|application/(?:.*\+)?xml")
# Codecs of Python that are charsets of the world; others (idna, unicode_escape) are not.
_CODECS = re.compile(r"utf-(8|16|32)(-[lb]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb\w+|"
                     r"big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+|hz|tis-620|ptcp154|kz1048|johab")
_OWN_SYNTAX = ("utf-16", "utf-32", "iso2022", "hz")  # bytes below 128 are not ASCII
_SINGLE_BYTE = ("iso8859-", "cp125")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"),
          (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))


def declared(content_type: str) -> str:
    """The charset a content type names, "" when it names none."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def codec(charset: str) -> str:
    """Python's name of a charset, "" when nobody knows it."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return name if _CODECS.fullmatch(name) else ""


def has_own_syntax(charset: str) -> bool:
    """Whether bytes in this charset look like ASCII or NULs without being them."""
    return codec(charset).startswith(_OWN_SYNTAX)


def choose(body: bytes, charset: str) -> tuple[str, frozenset[str]]:
    """Python's name of the charset that reads all of `body`, and flags.

    charset: the declared one; a byte order mark in the body knows better. UTF-8 that is declared
    as a western or other single-byte charset is taken for what it is: by chance such bytes hardly
    ever form UTF-8.
    """
    name = next((name for mark, name in _MARKS if body.startswith(mark)), "") or codec(charset)
    if name.startswith(_SINGLE_BYTE) and not body.isascii() and _fits(body, "utf-8"):
        return "utf-8", frozenset((GUESSED,))
    fallbacks = ["utf-8", "cp1252", "latin-1"]
    # ISO 8859-1 and ASCII mean windows-1252. Source: WHATWG Encoding, "Names and labels".
    meant = ["cp1252", "latin-1"] if name in ("iso8859-1", "ascii") else [name] if name else []
    found = next(one for one in meant + fallbacks if _fits(body, one))
    flag = "" if found in meant else GUESSED if name else UNKNOWN
    return found, frozenset((flag,)) if flag else frozenset()


def decode(body: bytes, charset: str) -> Text:
    """`body` as text; see `choose`."""
    name, flags = choose(body, charset)
    return body.decode(name), flags


def text_of(body: bytes, content_type: str) -> Text:
    """A body that is kept as text. XML and HTML may say their charset themselves.

    Bytes that nobody calls text are read as UTF-8 as far as they are.
    Source: RFC 7303, section 3 (a mark, then the content type, then the XML prolog).
    """
    is_text = _TEXTUAL.fullmatch(content_type.partition(";")[0].strip().lower())
    charset = declared(content_type)
    if not charset and not is_text:
        return body.decode("utf-8", "replace"), frozenset()
    return decode(body, charset or _said_inside(body) or "utf-8")


def _said_inside(body: bytes) -> str:
    found = _PROLOG.match(body) or _META.search(body[:_HEAD])
    return found[1].decode("ascii") if found else ""


def _fits(body: bytes, name: str) -> bool:
    try:
        body.decode(name)
    except (UnicodeError, ValueError):
        return False
    return True
