"""Guessing API keys is slow, and keeps no program out whose key is right."""

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from connections.access import ApiKey
from connections.rest import wrong_keys
from tests.factories import make_key
from tests.sockets import Phone

pytestmark = pytest.mark.django_db
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def few_are_free(monkeypatch):
    monkeypatch.setattr(wrong_keys, "FREE", 4)
    monkeypatch.setattr(wrong_keys, "FREE_OF_NETWORK", 12)


def ask(key, address=HERE, **headers):
    return Client(REMOTE_ADDR=address).get("/api/v1/events/", headers={
        "x-api-key": key, **headers})


def guess(times, address=HERE, **headers):
    """A different wrong key each time, the last answer."""
    for number in range(times):
        answer = ask(f"omni_{number:08d}_wrong", address.format(number), **headers)
    return answer


def test_wrong_key_too_many_of_a_minute_is_refused_before_it_is_looked_up(
        django_assert_num_queries):
    last = guess(wrong_keys.FREE)

    with django_assert_num_queries(0):
        refused = ask("omni_12345678_wrong")

    assert (last.status_code, refused.status_code) == (401, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["code"] == "throttled"


def test_key_that_was_right_lately_works_on_while_others_guess_at_its_address():
    key = make_key(["read"])
    ask(key)
    guess(wrong_keys.FREE + 1)

    assert ask(key).status_code == 200


def test_key_revoked_meanwhile_is_no_way_past_the_brake():
    key = make_key(["read"])
    ask(key)
    ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    guess(wrong_keys.FREE)

    assert [ask(key).status_code for _ in range(2)] == [401, 429]


def test_other_addresses_are_asked_as_ever():
    guess(wrong_keys.FREE + 1)

    assert ask("omni_12345678_wrong", THERE).status_code == 401
    assert ask(make_key(["read"]), THERE).status_code == 200


def test_minute_later_as_many_are_free_again(monkeypatch):
    guess(wrong_keys.FREE)
    now = wrong_keys.time.monotonic() + wrong_keys.SECONDS
    monkeypatch.setattr(wrong_keys.time, "monotonic", lambda: now)

    assert ask(make_key(["read"])).status_code == 200


@pytest.mark.parametrize(("address", "free"), [
    ("2001:db8:1:2::{}", "FREE"), ("2001:db8:1:{}::1", "FREE_OF_NETWORK")])
def test_addresses_of_one_line_are_counted_together(address, free):
    assert guess(getattr(wrong_keys, free), address).status_code == 401
    assert guess(1, "2001:db8:1:2::ffff").status_code == 429
    assert guess(1, "2001:db8:2:2::1").status_code == 401


def test_sender_behind_the_proxy_counts_and_cannot_be_chosen():
    guess(wrong_keys.FREE, "127.0.0.1", **{"x-forwarded-for": f"192.0.2.1, {HERE}"})

    assert ask("x", "127.0.0.1", **{"x-forwarded-for": f"192.0.2.2, {HERE}"}).status_code == 429
    assert ask("x", "127.0.0.1", **{"x-forwarded-for": THERE}).status_code == 401


def test_proxy_that_names_nobody_is_braked_later():
    assert guess(wrong_keys.FREE + 1, "127.0.0.1").status_code == 401
    assert guess(wrong_keys.FREE_OF_NETWORK, "127.0.0.1").status_code == 429


def test_request_without_a_key_is_not_counted():
    for _ in range(wrong_keys.FREE + 1):
        answer = Client(REMOTE_ADDR=HERE).get("/api/v1/events/")

    assert answer.status_code == 401 and guess(1).status_code == 401


def test_endless_addresses_cannot_grow_memory(monkeypatch):
    monkeypatch.setattr(wrong_keys.brake._wrong, "most", 10)

    guess(20, "192.0.{}.1")

    assert len(wrong_keys.brake._wrong) <= 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("frame", [True, False])
async def test_socket_is_no_way_around_the_brake(frame):
    await sync_to_async(guess)(wrong_keys.FREE, "127.0.0.1", **{"x-forwarded-for": HERE})
    headers = [(b"host", b"localhost"), (b"x-forwarded-for", HERE.encode())]
    phone = Phone("/ws/events/", headers + ([] if frame else [(b"x-api-key", b"wrong")]),
                  client=("127.0.0.1", 1))
    try:
        assert await phone.connect()
        if frame:
            await phone.say(type="auth", key="wrong")
        assert (await phone.heard("error"))["code"] == "too_many_keys"
        assert await phone.closing_code() == 4429
    finally:
        await phone.hang_up()
