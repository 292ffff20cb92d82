"""Numbers inside the references messaging services use: JIDs, URIs, phones as people write them."""

import re

PHONE_HOSTS = frozenset({"s.whatsapp.net", "c.us"})
JID_HOSTS = PHONE_HOSTS | {"lid", "hosted.lid", "g.us", "broadcast", "newsletter"}
_SCHEMES = ("tel:", "sms:", "whatsapp:", "mailto:")
_PHONE = re.compile(r"\+?\(?\d[\d\s().-]*")
_NOT_DIGITS = re.compile(r"\D")
BRAZIL = "55"
_LONGEST_LOCAL = 11  # digits of a Brazilian number without its country


def digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)


def is_phone(text: str) -> bool:
    """Whether a text is a number as people write it: digits, a plus, spaces, dots, brackets."""
    return _PHONE.fullmatch(text) is not None


def without_scheme(text: str) -> str:
    """`whatsapp:+5511...` and the like without what stands before the address."""
    return next((text.removeprefix(scheme) for scheme in _SCHEMES if text.startswith(scheme)), text)


def split_jid(text: str) -> tuple[str, str] | None:
    """(user, host) of a WhatsApp id, without its device number; None when it is something else."""
    user, at, host = text.partition("@")
    if not at or host not in JID_HOSTS:
        return None
    return user.split(":", 1)[0], host


def legacy_digits(ref: str) -> str:
    """The number the first Omni knew a chat by, so that agents keep their sessions and users.

    Digits before the @. Up to 11 digits that do not begin with 55 get 55 in front: it took every
    short number for a Brazilian one, and the names of its sessions are made that way.
    """
    jid = split_jid(ref)
    number = digits(jid[0] if jid else ref)
    if number and len(number) <= _LONGEST_LOCAL and not number.startswith(BRAZIL):
        return BRAZIL + number
    return number
