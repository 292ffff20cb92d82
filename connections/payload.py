"""Bytes from outside become data: strict, bounded and safe to store as jsonb.

Refuses what is not JSON or is built to hurt; repairs what is JSON but cannot be stored, and says so
in `flags`. Pure: the bytes themselves are archived elsewhere and never changed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl

from connections import charsets
from omni.errors import InvalidInput

MAX_DEPTH = 64  # containers within containers
MAX_NODES = 100_000  # values: containers, texts, numbers, literals; keys do not count
MAX_FORM_FIELDS = 1_000
MAX_NUMBER_CHARS = 400  # longer numbers stay text

DUP_KEYS = "dup_keys"
SANITIZED = "sanitized"
NON_FINITE = "non_finite"
CHARSET_FIELD = "_charset_"  # a form may name its charset so (RFC 7578, section 4.6)

_BOM = b"\xef\xbb\xbf"
_INT64 = range(-(2 ** 63), 2 ** 63)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# A string that never ends swallows the rest, so that no input makes the scan quadratic.
_STRING = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)')
_EMPTY = re.compile(rb"[\[{][ \t\r\n]*+[\]}]")
_TOO_MANY = f"the body has more than {MAX_NODES} values"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Unparsable(InvalidInput):
    """A body that is kept but not understood; `code` says why, and names the dead letter.

    Codes raised here: empty, bad_utf8, bad_json, bad_form, too_deep, too_many_nodes. Adapters add
    not_object and the like for a shape that cannot be theirs.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or f"the body is {code}", code=code)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A payload an adapter can map.

    flags: `dup_keys`, `sanitized`, `non_finite`, and those of `charsets`.
    """

    value: Any
    flags: frozenset[str] = frozenset()


def parse_json(body: bytes, *, charset: str = "") -> Parsed:
    """Strict JSON with limits on depth and size of the structure.

    charset: what the sender declares. JSON is UTF-8 whatever it says, so it is only asked about
    bytes that are not; without one those are bad_utf8.
    Of equal keys the last wins (flag dup_keys). NUL and lone surrogates become U+FFFD, whole
    numbers beyond 64 bits and overlong ones become text (flag sanitized); NaN, Infinity and what no
    float can hold become null (flag non_finite). Long texts are not cut.
    Raises Unparsable.
    Source: RFC 8259; PostgreSQL manual, 8.14 "JSON Types".
    """
    text, flags = _decode(body, charset)
    if flags is not None:
        body = text.encode("utf-8", "surrogatepass")
    _check_structure(body)
    odd = _UNSTORABLE_ESCAPE.search(body) is not None
    try:
        if not odd:
            return Parsed(_PLAIN.decode(text), flags or frozenset())
    except _OddError:
        pass  # read again, slower, by a reader that repairs and remembers
    except json.JSONDecodeError as exc:
        raise _bad_json(exc) from exc
    found = _Repair().read(text, strings=odd)
    return Parsed(found.value, found.flags | flags) if flags else found


def parse_form(body: bytes, *, charset: str = "") -> Parsed:
    """Fields of an `application/x-www-form-urlencoded` body: {name: text, or list when repeated}.

    charset: what the sender declares, else the field `_charset_` may; without both it is UTF-8, or
    windows-1252 where it cannot be (flag charset_guessed).
    A repeated name sets the flag dup_keys. Raises Unparsable.
    """
    if charsets.has_own_syntax(charset):
        body, charset = charsets.decode(body, charset)[0].encode(), "utf-8"
    if not body.strip():
        raise Unparsable("empty")
    if body.count(b"&") >= MAX_FORM_FIELDS:
        raise Unparsable("too_many_nodes", f"a form has at most {MAX_FORM_FIELDS} fields")
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in parse_qsl(
        body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")]
    charset = charset or charset_field(pairs)
    texts, flags = decoded([part for pair in pairs for part in pair], charset)
    found = fields(list(zip(texts[::2], texts[1::2], strict=True)))
    return Parsed(found.value, found.flags | flags)


def charset_field(pairs: list[tuple[bytes, bytes]]) -> str:
    """The charset a form names in its field `_charset_`, "" when it names none."""
    name = CHARSET_FIELD.encode()
    return next((value.decode("latin-1") for key, value in pairs if key == name), "")


def decoded(parts: list[bytes], charset: str) -> tuple[list[str], frozenset[str]]:
    """Names and values of one form, all in one charset, and the flags of their reading."""
    whole = b"\n".join(parts)
    if not charset:
        try:
            return [part.decode() for part in parts], frozenset()
        except UnicodeDecodeError:
            charset, whole = "utf-8", b"\n" + whole  # what begins like a byte order mark is none
    name, flags = charsets.choose(whole, charset)
    return [part.decode(name, "replace") for part in parts], flags


def fields(pairs: list[tuple[str, str]]) -> Parsed:
    """Form fields in order become one mapping, made safe to store."""
    flags: set[str] = set()
    found: dict[str, Any] = {}
    for raw_name, raw_value in pairs:
        name, value = sanitize_text(raw_name), sanitize_text(raw_value)
        if (name, value) != (raw_name, raw_value):
            flags.add(SANITIZED)
        if name not in found:
            found[name] = value
            continue
        flags.add(DUP_KEYS)
        if not isinstance(found[name], list):
            found[name] = [found[name]]
        found[name].append(value)
    return Parsed(found, frozenset(flags))


def sanitize_text(text: str) -> str:
    """`text` as Postgres can store it: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


class _OddError(Exception):
    """Something legal that cannot be kept as it is."""


def _integer(digits: str) -> int:
    if len(digits) < 19:
        return int(digits)
    if len(digits) <= 20:
        number = int(digits)
        if number in _INT64:
            return number
    raise _OddError


def _float(digits: str) -> float:
    if len(digits) <= MAX_NUMBER_CHARS:
        number = float(digits)
        if isfinite(number):
            return number
    raise _OddError


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _OddError
    return members


def _odd_constant(name: str) -> None:
    raise _OddError


def _bad_json(exc: json.JSONDecodeError) -> Unparsable:
    return Unparsable("bad_json", f"the body is not JSON: {exc}")


_PLAIN = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float,
                          parse_constant=_odd_constant)


class _Repair:
    """One careful reading of one body; `flags` collects what had to be given up."""

    def __init__(self) -> None:
        self.flags: set[str] = set()

    def read(self, text: str, *, strings: bool) -> Parsed:
        """strings: whether texts and keys may hold what cannot be stored."""
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=partial(self._number, _integer),
            parse_float=partial(self._number, _float), parse_constant=self._constant)
        try:
            value = decoder.decode(text)
        except json.JSONDecodeError as exc:
            raise _bad_json(exc) from exc
        if strings:
            value = self._clean(value)
        return Parsed(value, frozenset(self.flags))

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            self.flags.add(DUP_KEYS)
        return members

    def _constant(self, name: str) -> None:
        """NaN and the infinities: Python and JavaScript write them, JSON has no word for them."""
        self.flags.add(NON_FINITE)

    def _number(self, read: Callable[[str], Any], digits: str) -> Any:
        try:
            return read(digits)
        except _OddError:
            if read is _float and len(digits) <= MAX_NUMBER_CHARS:
                return self._constant(digits)
            self.flags.add(SANITIZED)
            return digits

    def _clean(self, value: Any) -> Any:
        """A copy of `value` without unstorable characters; recursion ends at MAX_DEPTH."""
        if isinstance(value, str):
            clean = sanitize_text(value)
            if clean != value:
                self.flags.add(SANITIZED)
            return clean
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        if isinstance(value, dict):
            return self._object([(self._clean(key), self._clean(item))
                                 for key, item in value.items()])
        return value


def _decode(body: bytes, charset: str) -> tuple[str, frozenset[str] | None]:
    """The text, without a byte order mark; flags when it is not the UTF-8 it should be, else None.

    A NUL this early means UTF-16 or UTF-32.
    """
    if charset and charsets.has_own_syntax(charset):
        return charsets.decode(body, charset)
    if b"\x00" in body[:2]:
        if charset:
            return charsets.decode(body, charset)
        raise Unparsable("bad_utf8", "the body is UTF-16 or UTF-32; send UTF-8")
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as exc:
        if charset:
            return charsets.decode(body, charset)
        raise Unparsable("bad_utf8", f"the body is not UTF-8: {exc.reason} at {exc.start}") from exc
    if not text or text.isspace():
        raise Unparsable("empty")
    return text, None


def _check_structure(body: bytes) -> None:
    """Refuse depth and width before anything is built, without recursion.

    Plain counts settle nearly every body; only a body they cannot settle is scanned.
    """
    openers = body.count(b"[") + body.count(b"{")
    if openers <= MAX_DEPTH and openers + body.count(b",") < MAX_NODES:
        return
    skeleton, strings = _STRING.subn(b"0", body, count=2 * MAX_NODES + 1)
    _check_depth(skeleton)
    openers = skeleton.count(b"[") + skeleton.count(b"{")
    if strings > 2 * MAX_NODES or openers > MAX_NODES:
        raise Unparsable("too_many_nodes", _TOO_MANY)
    children = skeleton.count(b",") + openers - len(_EMPTY.findall(skeleton))
    if children >= MAX_NODES:  # the outermost value is one more
        raise Unparsable("too_many_nodes", _TOO_MANY)


def _check_depth(skeleton: bytes) -> None:
    """skeleton: the body without its strings. Looks no further than MAX_NODES containers."""
    depth = 0
    for bracket in skeleton.translate(None, _NOT_BRACKETS)[:2 * MAX_NODES]:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise Unparsable("too_deep", f"the body is nested more than {MAX_DEPTH} deep")
