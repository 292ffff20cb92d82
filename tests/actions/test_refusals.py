"""Errors of peers as outcomes."""

import pytest

from actions.refusals import outcome_of
from omni.errors import BreakerOpen, Held


def test_address_that_is_left_alone_is_unavailable_until_it_is_tried_again():
    outcome = outcome_of(BreakerOpen("http://a is left alone", retry_after=9.0))

    assert (outcome.status, outcome.code, outcome.reason, outcome.output) == (
        "unavailable", "breaker_open", "http://a is left alone", {"retry_after": 9.0})


def test_call_that_was_put_off_is_no_outcome():
    with pytest.raises(Held):
        outcome_of(Held("wait", retry_after=1.0))
