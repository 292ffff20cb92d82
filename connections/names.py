"""Which names are names: providers also give numbers and addresses, and words for oneself. Pure."""

import re
from collections.abc import Iterable

# What messaging apps call the person who holds the phone, in the language of that phone.
_ONESELF = frozenset((
    "you", "me", "você", "voce", "eu", "tú", "tu", "yo", "vous", "moi", "du", "ich", "io", "jij",
    "вы", "я", "ви", "siz", "sinä", "εσείς", "anda", "bạn", "คุณ", "あなた", "你", "您", "나",
    "आप", "أنت"))
_AROUND = " \t\r\n\u00a0\u200e\u200f()[]~.!"
_NUMBER = re.compile(r"[\d\s+().,/#\-\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069]*")
_ADDRESS = re.compile(r"[\d\-:]+@[a-z.]+", re.ASCII)


def is_oneself(name: str) -> bool:
    """Whether a name is the word for the holder of the phone, which names nobody to others."""
    return name.strip(_AROUND).casefold() in _ONESELF


def is_number(name: str) -> bool:
    """Whether a name is digits and what people write between them, and nothing else."""
    return _NUMBER.fullmatch(name.strip()) is not None and bool(_digits(name))


def is_real(name: str) -> bool:
    """Whether a person can be called by it: no number, address or word for oneself."""
    text = name.strip()
    return bool(text) and not (is_number(text) or is_oneself(text) or _ADDRESS.fullmatch(text))


def best(names: Iterable[str], *, handles: Iterable[str]) -> str:
    """The first real name; else a number that is none of the person's own handles; else ""."""
    names, own = list(names), {_digits(handle.partition("@")[0]) for handle in handles}
    others = (name for name in names if is_number(name) and _digits(name) not in own)
    return next(filter(is_real, names), "") or next(others, "")


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
