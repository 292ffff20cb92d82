"""Content encodings of incoming bodies: gzip and deflate are opened, within a size limit."""

import zlib
from dataclasses import replace

from connections.adapter import Delivery
from omni.errors import InvalidInput

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class TooLarge(InvalidInput):
    code = "too_large"


def decoded(delivery: Delivery, *, most: int) -> Delivery:
    """The delivery with a plain body, and headers that say so.

    most: bytes, for the body before and after.

    Raises TooLarge, or InvalidInput for an encoding that is not known or not intact.
    """
    if len(delivery.body) > most:
        raise TooLarge(f"more than {most} bytes")
    encoding = delivery.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return delivery
    if encoding not in _WINDOWS:
        raise InvalidInput(f"content-encoding '{encoding[:40]}' is not known; "
                           "send gzip, deflate or none")
    opener = zlib.decompressobj(_WINDOWS[encoding])
    try:
        body = opener.decompress(delivery.body, most + 1)
    except zlib.error as exc:
        raise InvalidInput(f"the {encoding} body is broken: {exc}") from exc
    if len(body) > most:
        raise TooLarge(f"more than {most} bytes when opened")
    if not opener.eof:
        raise InvalidInput(f"the {encoding} body ends too early")
    headers = {name: value for name, value in delivery.headers.items()
               if name != "content-encoding"}
    return replace(delivery, body=body, headers=headers)
