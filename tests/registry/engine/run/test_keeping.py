"""What of an outcome can be kept: live and resumed walks read the same."""

import math
from decimal import Decimal

import pytest

from actions.base import Outcome, done, failed
from registry.engine.run import keeping


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 10 ** 5000],
                         ids=["nan", "inf", "-inf", "huge"])
def test_number_that_is_none_becomes_null_and_the_reason_says_so(odd):
    outcome = keeping.kept(done(usage={"tokens": [odd, 3]}))

    assert outcome.output == {"usage": {"tokens": [None, 3]}} and "became null" in outcome.reason


@pytest.mark.parametrize("output", [
    {}, {"a": [1, 2.5, None, "NaN"]}, {"price": Decimal("1.5")}, {"deep": nested(99)},
    {"many": [[]] * 500}, {"odd": "\x00\ud800"}])
def test_what_can_be_stored_stays_as_it_is(output):
    outcome = Outcome("done", output)

    assert keeping.kept(outcome) is outcome


@pytest.mark.parametrize(("output", "said"), [
    ({"deep": nested(100)}, "levels"), ({"deep": nested(100_000)}, "levels"),
    ({"deep": nested(100), "odd": math.nan}, "levels"),
    ({"text": "x" * keeping.MOST_CHARACTERS}, "characters")],
    ids=["a level too many", "endless", "deep and odd", "large"])
def test_what_is_too_much_fails_the_step(output, said):
    outcome = keeping.kept(failed("first words", **output))

    assert (outcome.status, outcome.code, outcome.output) == ("failed", "unstorable", {})
    assert said in outcome.reason and "first words" in outcome.reason


def test_output_that_contains_itself_fails_the_step():
    loop = {}
    loop["self"] = loop

    assert keeping.kept(done(loop=loop)).code == "unstorable"


@pytest.mark.parametrize(("given", "shown"), [
    (None, None), ({"a": 1}, {"a": 1}), ({"a": math.nan}, {"a": None}),
    ({"a": nested(200), "b": "x"}, {"a": "[list]", "b": "[str]"})])
def test_input_too_large_for_the_trace_is_shown_by_kind(given, shown):
    assert keeping.shown(given) == shown
