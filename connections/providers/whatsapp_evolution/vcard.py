"""Reads contact cards (vCard 2.1, 3.0 and 4.0) as phones and servers really write them. Pure.

Source: RFC 6350, sections 3.2 to 3.4; RFC 2426; vCard 2.1, section 2.1 (quoted-printable).
"""

import quopri
import re
from collections.abc import Iterator
from typing import Any

from connections.charsets import decode
from connections.providers.whatsapp_evolution.scalars import without_blanks

MAX_LENGTH = 100_000
_TEL = "tel:"
_END = re.compile(r"\r\n|\r|\n")
# [group.]NAME[;parameter...]:value, where a parameter in quotes may hold ; and :
_LINE = re.compile(r'\s*(?:[\w-]+\.)?([A-Za-z0-9-]+)((?:;(?:[^";:]|"[^"]*")*)*):(.*)', re.DOTALL)
_QUOTED = re.compile(r";(?:ENCODING=)?QUOTED-PRINTABLE(?=[;:])", re.IGNORECASE)
_CHARSET = re.compile(r';CHARSET="?([\w-]+)', re.IGNORECASE)
_WAID = re.compile(r';waid="?\+?(\d{5,15})', re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\,;:nN])")
_COMPONENT = re.compile(r"(?:[^;\\]|\\.|\\$)+", re.DOTALL)


def read_vcard(vcard: str) -> dict[str, Any]:
    """The facts of the first card: {full_name, phones, emails, organization, url}.

    A phone with a WhatsApp id becomes that id, with +; others stay as they are written.
    """
    phones: list[str] = []
    emails: list[str] = []
    facts: dict[str, str] = {}
    for name, parameters, value in _properties(vcard):
        if name == "END":
            break
        if name == "TEL":
            account = _WAID.search(parameters)
            phones.append(f"+{account[1]}" if account else _phone(value))
        elif name == "EMAIL":
            emails.append(_text(value))
        elif name in ("N", "FN", "ORG", "URL"):
            facts.setdefault(name, value)
    return without_blanks({
        "full_name": _text(facts.get("FN", "")) or _full_name(facts.get("N", "")),
        "phones": [one for one in dict.fromkeys(phones) if one],
        "emails": [one for one in dict.fromkeys(emails) if one],
        "organization": ";".join(_components(facts.get("ORG", ""))),
        "url": _text(facts.get("URL", ""))})


def _phone(value: str) -> str:
    """A number as it is written; of a tel: address (RFC 3966) without its parameters."""
    text = _text(value)
    return text[len(_TEL):].partition(";")[0] if text[:len(_TEL)].lower() == _TEL else text


def _properties(vcard: str) -> Iterator[tuple[str, str, str]]:
    """(NAME, ;parameters, value) of each line that is one; values as written, unfolded."""
    for line in _unfolded(vcard[:MAX_LENGTH]):
        match = _LINE.fullmatch(line)
        if match:
            value = match[3].strip()
            yield match[1].upper(), match[2], (
                _decoded(value, match[2]) if _is_quoted(line) else value)


def _unfolded(text: str) -> Iterator[str]:
    """Whole lines: one that begins with a blank goes on, as does quoted-printable after a =."""
    parts: list[str] = []
    for line in _END.split(text):
        if parts and parts[-1].endswith("=") and _is_quoted(parts[0]):
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        elif parts and line[:1] in (" ", "\t"):
            parts.append(line[1:])
        else:
            yield "".join(parts)
            parts = [line]
    yield "".join(parts)


def _is_quoted(line: str) -> bool:
    return _QUOTED.search(line) is not None


def _decoded(value: str, parameters: str) -> str:
    """The text of a quoted-printable value; UTF-8 unless a charset fits better."""
    data = quopri.decodestring(value.encode("utf-8", "replace"))
    named = _CHARSET.search(parameters)
    return decode(data, named[1] if named else "utf-8")[0]


def _text(value: str) -> str:
    r"""The value without escapes: \n is a new line, \, \; and \\ the sign itself."""
    return _ESCAPED.sub(lambda sign: "\n" if sign[1] in "nN" else sign[1], value).strip()


def _components(value: str) -> list[str]:
    """The parts of a value that ; divides, empty ones left out."""
    return [text for text in map(_text, _COMPONENT.findall(value)) if text]


def _full_name(value: str) -> str:
    """family;given;more;prefix;suffix in the order people say them."""
    parts = [_text(part) for part in re.split(r"(?<!\\);", value)]
    family, given, more, prefix, suffix = (*parts, "", "", "", "", "")[:5]
    return " ".join(part for part in (prefix, given, more, family, suffix) if part)
