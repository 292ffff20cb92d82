"""Addresses people write and addresses the server answers, as the JIDs of the mapping. Pure."""

import re

from connections.envelope import Handle, Place
from connections.providers.whatsapp_evolution.identity import (
    DOMAINS,
    address_kind,
    bare,
    chat_kind,
    handles,
    phone_of,
)

PHONE_HOST, GROUP_HOST = "@s.whatsapp.net", "@g.us"
LONGEST_PHONE = 15  # digits, E.164; longer numbers are groups, as the server takes them
_SCHEMES = ("whatsapp:", "tel:", "sms:")
_SEVERAL = re.compile(r"[,;|&\n]|\d.*\+", re.DOTALL)  # what stands between two numbers
_OLD_GROUP = re.compile(r"\d{5,15}-\d{10}", re.ASCII)  # creator's phone, time of creation
# Country -> place and value of a digit some of its numbers have and WhatsApp's may lack.
# Source: formatBRNumber and formatMXOrARNumber of Evolution API 2.3.6.
_EXTRA_DIGIT = {"55": (4, "9"), "52": (2, "1"), "54": (2, "9")}


def place_of(to: str, *, own: frozenset[str] = frozenset()) -> Place:
    """A phone however it is written, a number of a group, or a full JID; else as it stands, with
    the fault.

    own: the account's own addresses.
    """
    text = to.strip()
    written = next((text.removeprefix(scheme) for scheme in _SCHEMES if text.startswith(scheme)),
                   text)
    jid = _full(text) if "@" in text else _from_number(written)
    if not jid:
        return Place(to, fault=f"'{to}' is neither a JID nor a phone number")
    return Place(jid, chat_kind(jid, own=own), (text,) if text.endswith("@c.us") else ())


def _full(text: str) -> str:
    """A JID without its device; of a phone only the digits, at the one host the server knows."""
    jid = bare(text)
    user, _, domain = jid.partition("@")
    if domain in ("s.whatsapp.net", "c.us"):
        user = _digits(user) if not _SEVERAL.search(user) else ""
        return f"{user}{PHONE_HOST}" if 0 < len(user) <= LONGEST_PHONE else ""
    return jid if domain in DOMAINS else ""


def _from_number(text: str) -> str:
    """The JID of a number without a host, "" when there are letters in it or no digits, or when
    it is several numbers. Only a number that is nothing but digits is a group's.
    """
    if _OLD_GROUP.fullmatch(text):
        return f"{text}{GROUP_HOST}"
    digits = _digits(text)
    if not digits or any(character.isalpha() for character in text) or _SEVERAL.search(text):
        return ""
    if len(digits) <= LONGEST_PHONE:
        return digits + PHONE_HOST
    return digits + GROUP_HOST if text.isdecimal() else ""


def _digits(text: str) -> str:
    """ASCII digits; copied numbers may hold marks of writing direction and odd blanks."""
    return "".join(str(int(character)) for character in text if character.isdecimal())


def handle_of(ref: str, *, scope: str) -> Handle | None:
    """Whose phone or LID a ref is; None for what is neither, or no full address."""
    if address_kind(ref) not in ("phone", "lid"):
        return None
    [handle] = handles([ref], scope=scope)
    return handle if handle.kind in ("phone", "lid") else None


def same_place(asked: str, answered: str) -> str:
    """`answered`, where it can be another name of the place that was `asked`; else "".

    The server names the number it found for a phone: with or without an extra digit, or hidden.
    Anything else is not believed: a WHATSAPP-BUSINESS instance fills in the chat it dealt with
    last, which may be somebody else's. That it may be for a hidden one too, so the store looks
    whose that is (`events.people.other_names.answered`).
    """
    ref, found = place_of(asked).ref, bare(answered)
    kinds = {address_kind(ref), address_kind(found)}
    if kinds == {"phone", "lid"}:
        return found
    return found if is_same_line(ref, found) else ""


def is_same_line(ref: str, other: str) -> bool:
    """Whether two JIDs are one, or one phone with and without the digit that may be missing."""
    phones = phone_of(ref)[1:], phone_of(other)[1:]
    return ref == other or (all(phones) and _short(phones[0]) == _short(phones[1]))


def _short(digits: str) -> str:
    """A phone without the digit that may be missing."""
    index, extra = _EXTRA_DIGIT.get(digits[:2], (0, ""))
    if len(digits) == 13 and extra and digits[index] == extra:
        return digits[:index] + digits[index + 1:]
    return digits
