"""Guessing passwords is slow, and keeps nobody out who knows his own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from omni.web.sign_in import SignInTries, TooManyTries
from tests.stored import everything_stored

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
RIGHT, HERE, THERE = "a long enough password", "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """A hundred tries with the hash of production take minutes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def boss(quick_hashes):
    return get_user_model().objects.create_superuser("boss", password=RIGHT)


def try_in(password="wrong", name="boss", address=HERE, **headers):
    return Client(REMOTE_ADDR=address, headers=headers).post(
        LOGIN, {"username": name, "password": password})


def guess(password="wrong", name="boss", address=HERE, **headers):
    """What the page asks for a try, without the page."""
    request = RequestFactory(REMOTE_ADDR=address, headers=headers).post(LOGIN)
    try:
        return authenticate(request, username=name, password=password)
    except TooManyTries:
        return None


def is_in(answer):
    return answer.status_code == 302


def pass_time(**by):
    """As if the tries had been made earlier."""
    for row in SignInTries.objects.all():
        row.since -= timedelta(**by)
        row.until = row.until and row.until - timedelta(**by)
        row.save()


def test_sixth_try_waits_even_with_the_right_password(boss):
    for _ in range(5):
        try_in()

    answer = try_in(RIGHT)

    assert not is_in(answer)
    assert "Too many wrong passwords. Try again in 15 minutes" in answer.content.decode()


def test_owner_signs_in_from_another_address_meanwhile(boss):
    for _ in range(6):
        guess()

    assert is_in(try_in(RIGHT, address=THERE))


def test_after_the_pause_the_right_password_is_enough(boss):
    for _ in range(5):
        guess()
    pass_time(minutes=16)

    assert is_in(try_in(RIGHT)) and is_in(try_in(RIGHT))


@pytest.mark.parametrize(("more", "minutes"), [(1, 30), (2, 60), (30, 1440)])
def test_each_further_wrong_try_doubles_the_pause_up_to_a_day(boss, more, minutes):
    for _ in range(5):
        guess()
    for _ in range(more):
        SignInTries.objects.update(until=timezone.now() - timedelta(seconds=1))
        guess()

    assert f"Try again in {minutes} minutes" in try_in(RIGHT).content.decode()


def test_four_wrong_tries_are_forgotten_with_the_window(boss):
    for _ in range(4):
        guess()
    pass_time(minutes=16)
    for _ in range(4):
        guess()

    assert is_in(try_in(RIGHT))


def test_right_password_makes_up_for_wrong_ones(boss):
    for _ in range(4):
        guess()
    guess(RIGHT)
    for _ in range(4):
        guess()

    assert is_in(try_in(RIGHT))


def test_one_address_does_not_try_many_accounts(boss):
    for number in range(20):
        guess(name=f"account{number}")

    assert not is_in(try_in(RIGHT)) and is_in(try_in(RIGHT, address=THERE))


def close(address=HERE):
    for number in range(20):
        guess(name=f"account{number}", address=address)


def end_pause():
    SignInTries.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_one_typo_after_a_pause_shuts_nobody_else_out(boss):
    close()
    end_pause()
    guess(name="colleague")

    assert is_in(try_in(RIGHT))


def test_twenty_more_wrong_tries_after_a_pause_are_another_pause(boss):
    close()
    end_pause()
    close()

    assert "Try again in 30 minutes" in try_in(RIGHT).content.decode()


def test_pause_of_an_address_is_never_longer_than_an_hour(boss):
    for _ in range(5):
        close()
        end_pause()
    close()

    assert "Try again in 60 minutes" in try_in(RIGHT).content.decode()


def test_typos_of_a_whole_day_after_a_pause_are_no_second_one(boss):
    close()
    pass_time(minutes=15)
    for number in range(25):
        guess(name=f"colleague{number}")
        pass_time(minutes=2)

    assert is_in(try_in(RIGHT))


def test_own_account_does_not_wipe_out_guesses_at_others(boss):
    for number in range(19):
        guess(name=f"account{number}")
        assert guess(RIGHT)
    guess(name="account19")

    assert not is_in(try_in(RIGHT))


def test_unknown_account_is_braked_like_a_known_one(boss):
    for _ in range(5):
        guess(name="nobody")

    assert "Too many wrong passwords" in try_in(name="NOBODY").content.decode()


def test_neighbours_in_one_ipv6_network_share_their_tries(boss):
    for number in range(5):
        guess(address=f"2001:db8:1:2::{number}")

    assert not is_in(try_in(RIGHT, address="2001:db8:1:2::99"))
    assert is_in(try_in(RIGHT, address="2001:db8:1:3::1"))


def test_line_with_many_ipv6_networks_is_one_guesser(boss):
    for number in range(100):
        try_in(name=f"account{number}", address=f"2001:db8:1:{number:x}::1")

    assert "Try again in 15 minutes" in try_in(
        RIGHT, address="2001:db8:1:ffff::1").content.decode()
    assert is_in(try_in(RIGHT, address="2001:db8:2::1"))


def change(client, old, new="another long enough password"):
    return client.post("/admin/password_change/", {
        "old_password": old, "new_password1": new, "new_password2": new})


def signed_in(boss, address=HERE):
    client = Client(REMOTE_ADDR=address)
    client.force_login(boss)
    return client


def test_stolen_session_does_not_guess_the_old_password(boss):
    client = signed_in(boss)
    for _ in range(5):
        wrong = change(client, "wrong")

    answer = change(client, RIGHT)

    assert "Your old password was entered incorrectly" in wrong.content.decode()
    assert "Too many wrong passwords. Try again in 15 minutes" in answer.content.decode()
    boss.refresh_from_db()
    assert boss.check_password(RIGHT)


def test_guesses_at_the_old_password_and_at_the_sign_in_are_one_count(boss):
    for _ in range(3):
        try_in()
    for _ in range(2):
        change(signed_in(boss), "wrong")

    assert not is_in(try_in(RIGHT))
    assert is_in(try_in(RIGHT, address=THERE))


def test_right_old_password_changes_it_and_makes_up_for_wrong_ones(boss):
    for _ in range(4):
        change(signed_in(boss), "wrong")

    answer = change(signed_in(boss), RIGHT)

    assert (answer.status_code, answer.headers["location"]) == (
        302, "/admin/password_change/done/")
    assert is_in(try_in("another long enough password"))


def test_address_behind_the_proxy_counts_and_cannot_be_chosen(boss):
    for number in range(5):
        guess(address="127.0.0.1", **{"x-forwarded-for": f"192.0.2.{number}, {HERE}"})

    assert not is_in(try_in(RIGHT, address="127.0.0.1", **{"x-forwarded-for": HERE}))
    assert is_in(try_in(RIGHT, address="127.0.0.1", **{"x-forwarded-for": f"{HERE}, {THERE}"}))


def test_stranger_does_not_choose_its_address(boss):
    for number in range(5):
        guess(**{"x-forwarded-for": f"192.0.2.{number}"})

    assert not is_in(try_in(RIGHT))


def test_proxy_that_names_nobody_does_not_lock_everybody_out(boss):
    for number in range(25):
        guess(name=f"account{number}", address="127.0.0.1")

    assert is_in(try_in(RIGHT, address="127.0.0.1"))


def test_proxy_that_names_nobody_locks_no_owner_out(boss, caplog):
    for _ in range(25):
        guess(address="127.0.0.1")

    assert is_in(try_in(RIGHT, address="127.0.0.1"))
    assert "the proxy sends no X-Forwarded-For" in caplog.text


def test_guessing_through_a_proxy_that_names_nobody_is_braked_too(boss):
    for _ in range(100):
        guess(address="127.0.0.1")

    assert "Try again in 15 minutes" in try_in(RIGHT, address="127.0.0.1").content.decode()
    assert is_in(try_in(RIGHT, address="127.0.0.1", **{"x-forwarded-for": HERE}))


def test_password_in_the_wrong_field_is_not_kept(boss):
    try_in(name="canary-typed-as-a-name", password="canary-password")

    assert "canary" not in everything_stored()


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_are_no_more_than_five(boss):
    def attempt(_):
        try:
            return try_in().content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(attempt, range(12)))

    assert sum("Too many wrong passwords" in text for text in answers) == 7
