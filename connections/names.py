"""Which names are names: providers also give numbers and addresses, and words for oneself. Pure."""

import re
import unicodedata
from collections.abc import Iterable

# What messaging apps call the person who holds the phone, in the language of that phone.
_ONESELF = frozenset(word.casefold() for word in (
    "you", "me", "você", "voce", "eu", "tú", "tu", "yo", "vous", "moi", "du", "ich", "io", "jij",
    "вы", "я", "ви", "siz", "sinä", "εσείς", "anda", "bạn", "คุณ", "あなた", "你", "您", "나",
    "आप", "أنت"))
_NOTHING = frozenset(("null", "undefined", "none"))  # what a program writes where there is none
_SIGNS = frozenset(("Sm", "Sc", "Sk"))  # an emoji (So) is a name to some people
_AROUND = " \t\r\n\u00a0\u200e\u200f()[]~.!"
_NUMBER = re.compile(r"[\d\s+().,/#\-\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069]*")
_SCHEME = re.compile(r"^(?:tel|sms|whatsapp):", re.IGNORECASE)
_ADDRESS = re.compile(r"[\d\-:]+@[a-z.]+", re.ASCII)


def is_oneself(name: str) -> bool:
    """Whether a name is the word for the holder of the phone, which names nobody to others."""
    return _plain(name) in _ONESELF


def is_number(name: str) -> bool:
    """Whether a name is digits and what people write between them, and nothing else."""
    text = _SCHEME.sub("", name.strip())
    return _NUMBER.fullmatch(text) is not None and bool(_digits(text))


def is_real(name: str) -> bool:
    """Whether a person can be called by it: no number, address, lone signs or word for oneself."""
    text, plain = name.strip(), _plain(name)
    return not (all(map(_is_sign, plain)) or is_number(text) or plain in _ONESELF
                or plain in _NOTHING or _ADDRESS.fullmatch(text))


def _plain(name: str) -> str:
    """A name without case, composed, and without what only steers how it is written."""
    seen = "".join(one for one in name if unicodedata.category(one) != "Cf")
    return unicodedata.normalize("NFC", seen).strip(_AROUND).casefold()


def _is_sign(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "PZC" or category in _SIGNS


def best(names: Iterable[str], *, handles: Iterable[str]) -> str:
    """The first real name; else a number that is none of the person's own handles; else ""."""
    names, own = list(names), {_digits(handle.partition("@")[0]) for handle in handles}
    others = (name for name in names if is_number(name) and _digits(name) not in own)
    return next(filter(is_real, names), "") or next(others, "")


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
