"""When two values of the language are the same, and what a text is when it is compared.

One rule for `==`, `in`, `<`, matching filters, keys and choices: a text is compared in Unicode's
composed form (NFC), without invisible signs at its ends. Numbers are compared with numbers, texts
with texts, times with times and with texts that tell one; true, false and null are only themselves.
What has no order between it (a number and a text) is never equal either.
Source: Unicode Standard Annex 15 (normalization forms).
"""

from collections.abc import Collection, Hashable, Iterator, Mapping
from datetime import datetime
from typing import Any
from unicodedata import normalize

from omni.errors import InvalidInput
from registry.expressions.budget import COMPARED, spend, spend_compared, spend_read
from registry.expressions.values import to_moment

# Soft hyphen, zero-width signs, direction marks and isolates, byte order mark. WhatsApp puts
# U+200E before words it writes itself; keyboards and copied pages leave the others.
INVISIBLE = "".join(map(chr, (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
                              *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF)))


_MOST_COMPOSED = 4  # signs that become one (UAX 15, table 6, with room)
_PLAIN = frozenset((str, int, float))  # kinds between which Python's own == is the language's
_NUMBERS = frozenset((int, float))
_NO_TEXT = frozenset((int, float, bool, type(None), list, dict))


def comparable(text: str) -> str:
    """A text as it is compared: composed, without invisible signs at its ends."""
    if text.isascii():
        return text
    spend_read(text)
    return normalize("NFC", text.strip(INVISIBLE))


def is_written(text: str, written: str) -> bool:
    """Whether a text is the same as one that is comparable already."""
    if text == written:
        return True
    if text.isascii() or (len(text) > _MOST_COMPOSED * len(written)
                          and text[0] not in INVISIBLE and text[-1] not in INVISIBLE):
        return False
    return comparable(text) == written


def folded(text: str) -> str:
    """The same where letter case is ignored."""
    spend_read(text)
    if text.isascii():
        return text.lower()
    return normalize("NFC", comparable(text).casefold())


def is_blank(text: str) -> bool:
    """Whether a text has nothing but blanks and invisible signs."""
    return all(sign.isspace() or sign in INVISIBLE for sign in text)


def canonical(value: Any) -> Any:
    """A value that stands for all that are the same, for keys and digests."""
    spend(5)
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
    """Whether two values are equal in the language; no kinds of value are an error."""
    if type(left) is str and type(right) is str:
        spend_compared(left, right)
        if left.isascii():
            return is_written(right, left)
        return left == right or is_written(left, comparable(right))
    if type(left) in _PLAIN and type(right) in _PLAIN:
        return bool(left == right)
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, datetime) or isinstance(right, datetime):
        spend(20)
        try:
            return to_moment(left) == to_moment(right)
        except InvalidInput:
            return False
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        spend(5 * len(left) + 10)
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        spend(10 * len(left) + 10)
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def among(item: Any, items: Collection[Any]) -> bool:
    """Whether a list, or the keys of a mapping, hold an item."""
    if type(item) is str and not len(item) >> COMPARED:
        return _text_among(comparable(item), items)
    spend(5 * len(items))
    return any(same(item, one) for one in items)


def _text_among(text: str, items: Collection[Any]) -> bool:
    """The same for a comparable text, which is what is asked most."""
    spend(4 * len(items))
    return any(
        one == text or (not one.isascii() and is_written(one, text)) if type(one) is str
        else type(one) not in _NO_TEXT and same(text, one) for one in items)


def share(one: Collection[Any], other: Collection[Any]) -> bool:
    """Whether two lists have an item in common."""
    spend(3 * (len(one) + len(other)))
    times = [[item for item in items if type(item) not in _PLAIN and isinstance(item, datetime)]
             for items in (one, other)]
    if any(among(time, other) for time in times[0]) or any(among(time, one) for time in times[1]):
        return True
    return not set(map(key_of, one)).isdisjoint(map(key_of, other))


def key_of(value: Any) -> Hashable:
    """What is equal for values that are the same. Of a time that holds between times only."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else comparable(value)
    if kind in _NUMBERS or value is None:
        return value
    if kind is bool:
        return bool, value
    if isinstance(value, datetime):
        return datetime, to_moment(value)
    if isinstance(value, list | tuple):
        spend(5 * len(value) + 20)
        return list, tuple(map(key_of, value))
    if isinstance(value, Mapping):
        spend(10 * len(value) + 30)
        return dict, frozenset((name, key_of(item)) for name, item in value.items())
    return value
