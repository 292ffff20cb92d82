"""`workflow.fallback`: the first value that is there."""

import pytest

from tests.registry.blocks.called import call


@pytest.mark.parametrize(("values", "value", "position"), [
    (["a", "b"], "a", 1), ([None, "", [], {}, 0], 0, 5), ([None, False], False, 2)])
def test_first_value_that_is_there_is_taken(values, value, position):
    assert call("workflow.fallback", values=values).output == {
        "value": value, "position": position}


def test_no_value_at_all_fails():
    outcome = call("workflow.fallback", values=[None, ""])

    assert (outcome.status, outcome.code) == ("failed", "nothing_usable")
