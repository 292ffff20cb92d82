import time

import pytest
from pydantic import ValidationError

from actions.transforms.regex import RegexParams, find


def test_groups_of_the_first_place_are_given(say, context):
    event = say("orders AB-12 and CD-34")

    outcome = find(event, RegexParams(pattern=r"(?P<shop>[A-Z]{2})-(\d+)"), context)

    assert outcome.output == {"matched": True, "match": "AB-12", "groups": ["AB", "12"],
                              "named": {"shop": "AB"}, "matches": ["AB-12", "CD-34"]}


@pytest.mark.parametrize("text", ["", "nothing", None])
def test_no_match_is_done_and_says_so(say, context, text):
    outcome = find(say(text), RegexParams(pattern=r"\d+"), context)

    assert (outcome.status, outcome.output["matched"]) == ("done", False)


def test_given_text_wins_over_the_events(say, context):
    outcome = find(say("12"), RegexParams(pattern=r"\d+", text="34"), context)

    assert outcome.output["match"] == "34"


def test_only_the_first_thousand_characters_count(say, context):
    outcome = find(say("a" * 1000 + "7"), RegexParams(pattern=r"\d"), context)

    assert not outcome.output["matched"]


def test_hostile_pattern_is_given_up(say, context):
    params = RegexParams(pattern=r"^(a|aa|[ab])+$", text="a" * 900 + "!")

    begun = time.monotonic()
    outcome = find(say(), params, context)

    assert outcome.code == "slow_pattern" and time.monotonic() - begun < 5


def test_wrong_pattern_is_refused_when_the_step_is_checked():
    with pytest.raises(ValidationError, match="not a regular expression"):
        RegexParams(pattern="(")


def test_capitals_count_when_asked(say, context):
    params = RegexParams(pattern="abc", ignore_case=False)

    assert not find(say("ABC"), params, context).output["matched"]
