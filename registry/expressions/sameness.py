"""When two values of the language are the same, and what a text is when it is compared.

One rule for `==`, `in`, `<`, matching filters, keys and choices: a text is compared in Unicode's
composed form (NFC), without invisible signs at its ends. Numbers are compared with numbers, texts
with texts, times with times and with texts that tell one; true, false and null are only themselves.
What has no order between it (a number and a text) is never equal either.
Source: Unicode Standard Annex 15 (normalization forms).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from unicodedata import normalize

from omni.errors import InvalidInput
from registry.expressions.values import to_moment

# Soft hyphen, zero-width signs, direction marks and isolates, byte order mark. WhatsApp puts
# U+200E before words it writes itself; keyboards and copied pages leave the others.
INVISIBLE = "".join(map(chr, (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
                              *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF)))


def comparable(text: str) -> str:
    """A text as it is compared: composed, without invisible signs at its ends."""
    return text if text.isascii() else normalize("NFC", text.strip(INVISIBLE))


def folded(text: str) -> str:
    """The same where letter case is ignored."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", comparable(text).casefold())


def is_blank(text: str) -> bool:
    """Whether a text has nothing but blanks and invisible signs."""
    return all(sign.isspace() or sign in INVISIBLE for sign in text)


def canonical(value: Any) -> Any:
    """A value that stands for all that are the same, for keys and digests."""
    if isinstance(value, str):
        return comparable(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def missing_parts(value: Any, at: str = "") -> Iterator[str]:
    """Where a value is null or text nobody sees, as `[1].id`; "" is the value itself."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from missing_parts(item, f"{at}.{name}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from missing_parts(item, f"{at}[{index}]")
    elif value is None or (isinstance(value, str) and is_blank(value)):
        yield at


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal in the language; never an error."""
    if type(left) is str and type(right) is str:
        return left == right or comparable(left) == comparable(right)
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, datetime) or isinstance(right, datetime):
        try:
            return to_moment(left) == to_moment(right)
        except InvalidInput:
            return False
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def among(item: Any, items: Any) -> bool:
    """Whether a list holds an item."""
    return any(same(item, one) for one in items)
