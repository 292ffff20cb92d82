"""How many bytes of bodies are held at once."""

from concurrent.futures import Future

import pytest

from events.door.body_budget import SMALL_BYTES, Budget


@pytest.fixture(autouse=True)
def four_megabytes(settings):
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = 4 * 1024 * 1024


MEGABYTE = 1024 * 1024


def test_large_bodies_leave_room_for_small_ones():
    budget = Budget()

    taken = [budget.share().take(MEGABYTE) for _ in range(4)]

    assert taken == [True, True, True, False]
    assert budget.share().take(SMALL_BYTES)


def test_body_that_grew_large_is_bounded_as_one():
    budget = Budget()
    budget.share().take(2 * MEGABYTE)
    share = budget.share()

    pieces = [share.take(MEGABYTE // 4) for _ in range(8)]

    assert pieces.count(True) == 4


def test_what_is_given_back_is_there_again_and_given_back_once():
    budget = Budget()
    share = budget.share()
    share.take(3 * MEGABYTE)

    share.release()
    share.release()

    assert budget.held == 0 and budget.share().take(3 * MEGABYTE)


def test_refused_bytes_are_not_held():
    budget = Budget()

    assert not budget.share().take(9 * MEGABYTE) and budget.held == 0
    assert not budget.share().has_room(9 * MEGABYTE)


def test_share_that_was_given_back_takes_no_more():
    budget = Budget()
    share = budget.share()
    share.release()

    assert not share.take(1) and budget.held == 0


def test_share_is_given_back_with_the_answer_it_was_handed_to_and_else_at_once():
    budget, answer = Budget(), Future()
    with budget.share() as share:
        share.take(7)
        share.until(answer)
    with budget.share() as other:
        other.take(1)

    assert budget.held == 7
    answer.set_result(None)
    assert budget.held == 0


def test_unproven_bodies_hold_a_quarter_at_one_account_and_half_altogether():
    budget = Budget()

    taken = [(of, budget.share(unproven_of=of).take(MEGABYTE - 100_000))
             for of in ("a", "a", "b", "b", "c")]

    assert taken == [("a", True), ("a", False), ("b", True), ("b", False), ("c", False)]
    assert budget.share().take(MEGABYTE) and budget.held == 2 * (MEGABYTE - 100_000) + MEGABYTE


def test_unproven_body_in_pieces_is_refused_where_its_account_has_its_quarter():
    budget = Budget()
    budget.share(unproven_of="a").take(700_000)
    share = budget.share(unproven_of="a")

    pieces = [share.take(100_000) for _ in range(8)]

    assert pieces == [True] * 3 + [False] * 5
    assert not share.has_room(100_000) and budget.unproven == 1_000_000


def test_small_unproven_bodies_are_bounded_by_the_whole_budget_only():
    budget = Budget()

    taken = [budget.share(unproven_of="a").take(SMALL_BYTES) for _ in range(17)]

    assert taken == [True] * 16 + [False] and budget.unproven == 0


def test_body_that_is_proven_makes_room_for_the_next_unproven_one():
    budget = Budget()
    share = budget.share(unproven_of="a")
    share.take(MEGABYTE)

    before = budget.share(unproven_of="a").has_room(MEGABYTE)
    share.proven()

    assert not before and budget.unproven == 0
    assert budget.share(unproven_of="a").take(MEGABYTE) and share.take(MEGABYTE)
    share.release()
    assert budget.held == budget.unproven == MEGABYTE


def test_only_unproven_body_is_not_refused_for_ever_by_its_quarter():
    assert Budget().share(unproven_of="a").take(3 * MEGABYTE)


def test_nothing_stays_counted_when_all_is_given_back():
    budget = Budget()
    shares = [budget.share(unproven_of=of) for of in "aabbc"]
    for share in shares:
        share.take(500_000)
    for share in shares:
        share.release()
        share.release()
        share.proven()

    assert (budget.held, budget.unproven, budget._unproven_of) == (0, 0, {})
