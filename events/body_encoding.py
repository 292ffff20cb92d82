"""Content encodings of incoming bodies: gzip and deflate are opened, within limits."""

import zlib
from dataclasses import replace

from connections.adapter import Delivery
from omni.errors import InvalidInput

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RATIO = 100  # text becomes ten times smaller, rarely thirty; what is denser is made to hurt
_RATIO_FROM = 1024 * 1024  # bytes that are opened whatever their ratio


class TooLarge(InvalidInput):
    code = "too_large"


def encoding_of(delivery: Delivery) -> str:
    """The encoding the body came in, "" for a plain one."""
    encoding = delivery.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def decoded(delivery: Delivery, *, most: int) -> Delivery:
    """The delivery with a plain body, and headers that say so.

    most: bytes, for the body before and after. Beyond 1 MiB it may become 100 times as large.

    Raises TooLarge, or InvalidInput for an encoding that is not known or not intact.
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
    opener = zlib.decompressobj(_WINDOWS[encoding])
    try:
        body = opener.decompress(delivery.body, allowed + 1)
    except zlib.error as exc:
        raise InvalidInput(f"the {encoding} body is broken: {exc}") from exc
    if len(body) > allowed:
        raise TooLarge(f"more than {allowed} bytes when opened")
    if not opener.eof:
        raise InvalidInput(f"the {encoding} body ends too early")
    headers = {name: value for name, value in delivery.headers.items()
               if name != "content-encoding"}
    return replace(delivery, body=body, headers=headers)
