"""Names that arrived together are one group."""

import pytest

from events.people.together import groups


@pytest.mark.parametrize(("bunches", "expected"), [
    ([], []),
    ([["a"], ["b"]], [["a"], ["b"]]),
    ([["a", "b"], ["b", "c"]], [["a", "b", "c"]]),
    ([["a"], ["b", "c"], ["c", "a"]], [["a", "b", "c"]]),
    ([["a", "a"]], [["a"]]),
    ([["a"], [], ["a"]], [["a"]]),
])
def test_bunches_that_share_a_name_are_one_group(bunches, expected):
    assert groups(bunches) == expected
