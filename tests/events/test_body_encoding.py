"""Encoded bodies are opened within a limit."""

import gzip
import random
import zlib

import pytest

from events import body_encoding
from omni.errors import InvalidInput
from tests.factories import make_delivery


def opened(body, encoding, most=1000):
    return body_encoding.decoded(make_delivery(body, headers={"content-encoding": encoding}),
                                 most=most)


@pytest.mark.parametrize(("body", "encoding"), [
    (b"hello", ""), (b"hello", "identity"), (gzip.compress(b"hello"), "gzip"),
    (gzip.compress(b"hello"), " X-GZIP "), (zlib.compress(b"hello"), "deflate")],
    ids=["none", "identity", "gzip", "x-gzip", "deflate"])
def test_known_encodings_are_opened(body, encoding):
    delivery = opened(body, encoding)

    assert delivery.body == b"hello"
    assert encoding in ("", "identity") or "content-encoding" not in delivery.headers


@pytest.mark.parametrize(("body", "encoding"), [
    (b"x", "br"), (b"x", "gzip, gzip"), (b"x", "\x00"), (b"no gzip", "gzip"),
    (gzip.compress(b"hello")[:-6], "gzip"), (b"", "gzip")],
    ids=["unknown", "twice", "nul", "broken", "cut", "empty"])
def test_unknown_or_broken_encoding_is_refused(body, encoding):
    with pytest.raises(InvalidInput) as refused:
        opened(body, encoding)

    assert not isinstance(refused.value, body_encoding.TooLarge)


@pytest.mark.parametrize(("body", "encoding"), [
    (b"x" * 1001, ""), (gzip.compress(b"\0" * 10_000_000), "gzip")], ids=["plain", "bomb"])
def test_body_beyond_the_limit_is_too_large(body, encoding):
    with pytest.raises(body_encoding.TooLarge):
        opened(body, encoding, most=1000 if not encoding else 20_000)


@pytest.mark.parametrize("times", [20, 99])
def test_body_that_is_as_dense_as_text_can_be_is_opened(times):
    noise = random.Random(1).randbytes(50_000)
    body = gzip.compress(noise + noise[:50] * (times * 1000))

    assert len(opened(body, "gzip", most=10 ** 9).body) > 1_000_000


def test_body_denser_than_any_text_is_too_large():
    body = gzip.compress(b"\0" * 60_000_000)

    with pytest.raises(body_encoding.TooLarge, match=f"more than {100 * len(body)} bytes"):
        opened(body, "gzip", most=64_000_000)
