"""Functions on numbers.

Halves are rounded away from zero, as with money, on the digits a number is written with.
"""

import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from omni.errors import InvalidInput
from registry.expressions.budget import spend_read
from registry.expressions.functions.table import function
from registry.expressions.sameness import comparable
from registry.expressions.values import need_number, need_text

MAX_DECIMALS = 15
_NARROW = "\u202f"  # no-break, so that a number stays on one line
_SIGNS = {  # locale -> between thousands, before decimals. Source: CLDR 44, numbers/symbols
    "en": (",", "."), "pt": (".", ","), "pt-pt": ("\u00a0", ","), "es": (".", ","),
    "de": (".", ","), "it": (".", ","),
    "nl": (".", ","), "id": (".", ","), "tr": (".", ","), "fr": (_NARROW, ","),
    "pl": ("\u00a0", ","), "ru": ("\u00a0", ","), "uk": ("\u00a0", ","), "sv": ("\u00a0", ","),
    "de-ch": ("\u2019", "."), "es-mx": (",", "."), "ja": (",", "."), "zh": (",", "."),
    "ko": (",", "."), "he": (",", "."),
    **dict.fromkeys(("en-us", "en-gb", "en-au", "en-ca", "en-ie", "en-nz"), (",", ".")),
    **dict.fromkeys(("pt-br", "es-es", "es-ar", "es-cl", "es-co", "es-uy", "es-ve", "de-de",
                     "it-it", "nl-nl", "id-id", "tr-tr"), (".", ",")),
    "fr-fr": (_NARROW, ","),
    **dict.fromkeys(("pl-pl", "ru-ru", "uk-ua", "sv-se"), ("\u00a0", ",")),
    **dict.fromkeys(("ja-jp", "zh-cn", "zh-tw", "ko-kr", "he-il"), (",", "."))}
LOCALES = tuple(_SIGNS)


@function("number(value)", least=1)
def _as_number(value: Any) -> int | float | None:
    """The number a text holds, null when it holds none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    spend_read(value)
    value = comparable(value)
    if not re.fullmatch(r"\s*-?[0-9]{1,15}(\.[0-9]{1,15})?\s*", value, re.ASCII):
        return None
    return float(value) if "." in value else int(value)


@function("round(number, digits)", least=1, most=2)
def _round(value: Any, digits: Any = 0) -> int | float:
    """The number rounded, a half away from zero; without digits to a whole one."""
    places = max(-15, min(15, int(need_number(digits))))
    rounded = _to_places(need_number(value), places)
    return int(rounded) if places == 0 or isinstance(value, int) else float(rounded)


@function("format_number(number, decimals, locale)", least=1, most=3)
def _format_number(value: Any, decimals: Any = 2, locale: Any = None) -> str:
    """The number as text with so many decimals (2): 1234.50, or 1.234,50 in 'pt-BR'; null is ''."""
    places = need_number(decimals)
    if not (isinstance(places, int) and 0 <= places <= MAX_DECIMALS):
        raise InvalidInput(f"decimals must be a whole number from 0 to {MAX_DECIMALS}")
    thousands, point = ("", ".") if locale is None else _signs(need_text(locale))
    if value is None:
        return ""
    written = f"{_to_places(need_number(value), places):,.{places}f}"
    whole, _, rest = written.partition(".")
    return whole.replace(",", thousands) + (point + rest if rest else "")


def _to_places(value: int | float, places: int) -> Decimal:
    """Rounded as people do with the digits they see: 2.675 to 2.68, though no float is 2.675.

    Never a negative zero.
    """
    unit = Decimal(1).scaleb(-places)
    with localcontext(prec=400):
        return Decimal(repr(value)).quantize(unit, ROUND_HALF_UP) + 0


def _signs(locale: str) -> tuple[str, str]:
    """What stands between thousands and before decimals. locale: like pt-BR, pt_BR or pt."""
    name = locale.replace("_", "-").lower()
    found = _SIGNS.get(name)  # a region may write otherwise than its language: none is guessed
    if found is None:
        raise InvalidInput(f"'{locale[:20]}' is not a known locale; known: {', '.join(_SIGNS)}")
    return found


@function("abs(number)", least=1)
def _abs(value: Any) -> int | float:
    """The number without its sign."""
    return abs(need_number(value))


@function("min(a, b, …)", least=1, endless=True)
def _min(*values: Any) -> int | float | None:
    """The smallest number, of a list or one by one; null when there is none."""
    return min(_numbers(values), default=None)


@function("max(a, b, …)", least=1, endless=True)
def _max(*values: Any) -> int | float | None:
    """The largest number, of a list or one by one; null when there is none."""
    return max(_numbers(values), default=None)


@function("sum(list)", least=1)
def _sum(items: Any) -> int | float:
    """The sum of a list of numbers."""
    return sum(_numbers((items,)))


def _numbers(values: tuple[Any, ...]) -> list[int | float]:
    items = values[0] if len(values) == 1 and isinstance(values[0], list | tuple) else values
    return [need_number(item) for item in items if item is not None]
