"""Small real files for the demo: a picture, a sticker and a tone, made by hand. Pure."""

import base64
import io
import math
import struct
import wave
import zlib

STICKER = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")  # WebP, one dot
_RATE = 4000  # samples per second


def picture(colour: tuple[int, int, int], *, width: int = 64, height: int = 64) -> bytes:
    """A PNG that fades from `colour` to half of it. Source: PNG specification, chunks 5.3, 11.2."""
    rows = b"".join(
        b"\0" + bytes(part * (2 * height - row) // (2 * height) for part in colour) * width
        for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")))


def tone(seconds: float, *, hertz: int = 330) -> bytes:
    """A WAV of a quiet tone, one channel, eight bits."""
    samples = bytes(int(128 + 40 * math.sin(math.tau * hertz * number / _RATE))
                    for number in range(int(seconds * _RATE)))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(_RATE)
        file.writeframes(samples)
    return out.getvalue()
