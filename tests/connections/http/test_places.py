"""Who gets a place at a host, and who is put off."""

import pytest

from connections.http.places import LATEST, SOONEST, Places, own_share


def taken(places, account, times=1, *, most=6, now=0.0):
    """How many of so many calls found a place."""
    return sum(places.take(account, most=most, now=now) for _ in range(times))


@pytest.mark.parametrize(("most", "own"), [(1, 1), (2, 1), (3, 2), (6, 4), (12, 8)])
def test_one_account_gets_two_thirds_of_a_host(most, own):
    assert own_share(most) == own
    assert taken(Places(), 1, 20, most=most) == own


def test_account_with_no_call_finds_a_place_whatever_another_has():
    places = Places()
    taken(places, 1, 20)

    assert (taken(places, 2, 20), taken(places, 3, 20)) == (1, 1)


def test_host_has_no_more_places_than_its_share_for_all_accounts_together():
    places = Places()

    assert sum(taken(places, account, 5) for account in range(20)) == 6


def test_account_that_ends_a_call_may_begin_another():
    places = Places()
    taken(places, 1, 4)

    places.give_back(1, 0.0, now=2.0)

    assert taken(places, 1, 4) == 1


def test_free_place_goes_to_the_account_with_fewest_calls_that_was_put_off():
    places = Places()
    taken(places, 1, 4)
    taken(places, 2, 1)
    places.put_off(2, most=6, now=0.0)
    places.give_back(1, 0.0, now=1.0)
    places.give_back(1, 0.0, now=1.0)

    assert (taken(places, 1, now=1.0), taken(places, 2, now=1.0)) == (0, 1)


def test_account_that_was_put_off_and_does_not_come_back_keeps_no_place_free():
    places = Places()
    taken(places, 1, 4)
    taken(places, 2, 1)
    places.put_off(2, most=6, now=0.0)
    places.give_back(1, 0.0, now=1.0)
    places.give_back(1, 0.0, now=1.0)

    assert taken(places, 1, now=1.0 + 1.25 * LATEST + 1) == 1


def test_calls_that_are_put_off_come_back_one_after_the_other():
    places = Places()
    taken(places, 1, 4)

    waits = [places.put_off(1, most=6, now=2.0) for _ in range(30)]

    assert waits == sorted(waits) and waits[0] < waits[5] and waits[-1] == LATEST


def test_call_at_a_quick_host_comes_back_soon():
    places = Places()
    for _ in range(20):
        taken(places, 1)
        places.give_back(1, 0.0, now=0.01)
    taken(places, 1, 4)

    assert places.put_off(1, most=6, now=0.01) == SOONEST


def test_host_that_was_quick_and_hangs_is_slow():
    places = Places(usual=0.01)
    taken(places, 1, 4)

    assert places.seconds(0.0) == 0.01 and places.seconds(3.0) == 3.0


def test_call_that_nobody_knows_any_more_is_given_back_in_silence():
    Places().give_back(1, 0.0, now=1.0)


def test_thread_that_waits_is_not_overtaken_by_one_of_its_account():
    places, first, second = Places(), object(), object()
    places.line_up(1, first, until=9.0)
    places.line_up(1, second, until=9.0)

    assert not places.take(1, most=6, now=0.0)
    assert not places.take(1, most=6, now=0.0, ticket=second)
    assert places.take(1, most=6, now=0.0, ticket=first)
    assert places.take(2, most=6, now=0.0)


def test_thread_that_left_the_line_holds_up_nobody():
    places, first = Places(), object()
    places.line_up(1, first, until=9.0)

    places.leave_line(1, first)

    assert places.take(1, most=6, now=0.0)
