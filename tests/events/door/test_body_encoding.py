"""Encoded bodies are opened within a limit."""

import gzip
import random
import zlib

import pytest

from events.door import body_encoding
from omni.errors import InvalidInput, Unavailable
from tests.factories import make_delivery


def opened(body, encoding, most=1000):
    return body_encoding.decoded(make_delivery(body, headers={"content-encoding": encoding}),
                                 most=most, take=lambda _: True)


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


def test_gzip_body_of_several_members_is_opened_whole():
    members = [gzip.compress(b"x" * 100_000), gzip.compress(b""), gzip.compress(b"yz")]

    assert opened(b"".join(members), "gzip", most=10 ** 6).body == b"x" * 100_000 + b"yz"
    assert opened(b"".join(members) + bytes(512), "gzip", most=10 ** 6).body.endswith(b"yz")


@pytest.mark.parametrize("rest", [gzip.compress(b"yz")[:-1], b"\x1f\x8b\x08?"],
                         ids=["cut", "broken"])
def test_gzip_body_whose_second_member_is_not_intact_is_refused(rest):
    with pytest.raises(InvalidInput):
        opened(gzip.compress(b"x") + rest, "gzip")


def test_members_are_bounded_together(monkeypatch):
    monkeypatch.setattr(body_encoding, "_MEMBERS", 3)

    with pytest.raises(body_encoding.TooLarge):
        opened(gzip.compress(b"x" * 600) * 2, "gzip")
    with pytest.raises(InvalidInput, match="more than 3 members"):
        opened(gzip.compress(b"x") * 4, "gzip")


def test_every_piece_that_is_opened_is_asked_for():
    body, asked = gzip.compress(random.Random(1).randbytes(3_000_000)), []

    with pytest.raises(Unavailable):
        body_encoding.decoded(
            make_delivery(body, headers={"content-encoding": "gzip"}), most=10 ** 7,
            take=lambda size: asked.append(size) or sum(asked) < 1_000_000)

    assert 1_000_000 <= sum(asked) < 2_100_000


@pytest.mark.parametrize("times", [20, 99])
def test_body_that_is_as_dense_as_text_can_be_is_opened(times):
    noise = random.Random(1).randbytes(50_000)
    body = gzip.compress(noise + noise[:50] * (times * 1000))

    assert len(opened(body, "gzip", most=10 ** 9).body) > 1_000_000


def test_body_denser_than_any_text_is_too_large():
    body = gzip.compress(b"\0" * 60_000_000)

    with pytest.raises(body_encoding.TooLarge, match=f"more than {100 * len(body)} bytes"):
        opened(body, "gzip", most=64_000_000)
