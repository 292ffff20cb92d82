"""Memory within bounds: what was used longest ago goes first."""

from concurrent.futures import ThreadPoolExecutor

from omni.recent import Recent


def test_oldest_goes_when_there_is_one_too_many():
    recent = Recent(2)
    recent.keep_all([("a", 1), ("b", 2), ("c", 3)])

    assert dict(recent) == {"b": 2, "c": 3}


def test_entry_that_is_kept_again_is_the_newest():
    recent = Recent(2)
    recent.keep_all([("a", 1), ("b", 2), ("a", 3), ("c", 4)])

    assert dict(recent) == {"a": 3, "c": 4}


def test_entries_are_dropped_also_where_they_are_gone_already():
    recent = Recent(2)
    recent.keep("a", 1)
    recent.drop(["a", "b"])

    assert not recent


def test_threads_that_keep_at_once_do_not_grow_it():
    recent = Recent(3)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: recent.keep(number % 50, number), range(5000)))

    assert len(recent) == 3
