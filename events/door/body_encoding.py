"""Content encodings of incoming bodies: gzip and deflate are opened, within limits."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from connections.adapter import Delivery
from omni.errors import InvalidInput, Unavailable

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RATIO = 100  # text becomes ten times smaller, rarely thirty; what is denser is made to hurt
_RATIO_FROM = 1024 * 1024  # bytes that are opened whatever their ratio
_IN, _OUT = 64 * 1024, 1024 * 1024  # bytes at a time, packed and opened
_MEMBERS = 10_000  # of one gzip body; block-wise packers write one for every 64 KiB
_MAGIC = b"\x1f\x8b"  # with which a member begins


class TooLarge(InvalidInput):
    code = "too_large"


def encoding_of(delivery: Delivery) -> str:
    """The encoding the body came in, "" for a plain one."""
    encoding = delivery.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def decoded(delivery: Delivery, *, most: int, take: Callable[[int], bool]) -> Delivery:
    """The delivery with a plain body, and headers that say so.

    most: bytes, for the body before and after. Beyond 1 MiB it may become 100 times as large.
    take: asked for every MiB that is opened, with its bytes; False ends it.

    Raises TooLarge, Unavailable where `take` says no, or InvalidInput for an encoding that is not
    known or not intact.
    """
    if len(delivery.body) > most:
        raise TooLarge(f"more than {most} bytes")
    encoding = encoding_of(delivery)
    if not encoding:
        return delivery
    if encoding not in _WINDOWS:
        raise InvalidInput(f"content-encoding '{encoding[:40]}' is not known; "
                           "send gzip, deflate or none")
    allowed = min(most, max(_RATIO_FROM, _RATIO * len(delivery.body)))
    pieces: list[bytes] = []
    size = 0
    for piece in _opened(delivery.body, encoding):
        size += len(piece)
        if size > allowed:
            raise TooLarge(f"more than {allowed} bytes when opened")
        if not take(len(piece)):
            raise Unavailable("too many bodies are in flight")
        pieces.append(piece)
    body = b"".join(pieces)
    headers = {name: value for name, value in delivery.headers.items()
               if name != "content-encoding"}
    return replace(delivery, body=body, headers=headers)


def _opened(packed: bytes, encoding: str) -> Iterator[bytes]:
    """The plain bytes, at most `_OUT` at a time, of all members of a gzip body.

    What follows the last of them and is no member is no content (padding, for one).
    Raises InvalidInput. Source: RFC 1952, section 2.2.
    """
    opener, members, at = zlib.decompressobj(_WINDOWS[encoding]), 1, 0
    while True:
        given = packed[at:at + _IN]
        try:
            piece = opener.decompress(given, _OUT)
        except zlib.error as exc:
            raise InvalidInput(f"the {encoding} body is broken: {exc}") from exc
        at += len(given) - len(opener.unconsumed_tail) - len(opener.unused_data)
        if piece:
            yield piece
        if not opener.eof:
            if not given and not piece:
                raise InvalidInput(f"the {encoding} body ends too early")
            continue
        if encoding == "deflate" or packed[at:at + len(_MAGIC)] != _MAGIC:
            return
        opener, members = zlib.decompressobj(_WINDOWS[encoding]), members + 1
        if members > _MEMBERS:
            raise InvalidInput(f"the {encoding} body has more than {_MEMBERS} members")
