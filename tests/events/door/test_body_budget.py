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
