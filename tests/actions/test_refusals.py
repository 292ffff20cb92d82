"""Errors of peers as outcomes."""

import pytest

from actions.refusals import outcome_of
from omni.errors import Held


def test_call_that_was_put_off_is_no_outcome():
    with pytest.raises(Held):
        outcome_of(Held("wait", retry_after=1.0))
