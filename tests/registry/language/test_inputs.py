"""Which values fit the inputs of a workflow."""

import pytest

from registry.language import grammar
from registry.language.definition import Input
from registry.language.inputs import check, wrong_value

SLUG = ["default", "a-1_b"]
ROW = [7, "5511999990000", "x@y"]
FIT = {
    "text": ["", "a"], "number": [0, 1.5, -2], "integer": [0, -3], "boolean": [True, False],
    "list": [[], [1, "a"]], "mapping": [{}, {"a": 1}], "choice": ["x", 3],
    "duration": ["500ms", "24h"], "agent": SLUG, "workflow": SLUG, "instance": SLUG,
    "audience": ["vip"], "handle": ["+5511999990000"], "handles": [[], ["+55", "a@b"]],
    "contact": ROW, "conversation": ROW, "contacts": [[], ROW],
    "url": ["http://a", "https://a.example/b?c=d"],
}
DO_NOT = {
    "text": [1, True, []], "number": ["1", True, float("nan"), float("inf")],
    "integer": [1.0, True, "1"], "boolean": [0, "true"], "list": ["a", {}], "mapping": [[], "a"],
    "choice": ["y", True, "3"], "duration": [5, "5", "soon"], "agent": ["", "A b", 1],
    "workflow": ["-a", None], "instance": ["a/b"], "audience": [" ", 1], "handle": [5511, ""],
    "handles": ["+55", [1], [""]], "contact": [0, -1, True, "", 2 ** 63], "conversation": [1.5],
    "contacts": [7, [True]], "url": ["a.example", "ftp://a", "http://", "http://a b", "http://[",
                                     5],
}
CHOICES = {"choice": ("x", 3)}


def test_choice_is_the_same_however_it_was_typed():
    one = Input("it", "choice", choices=("caf\u00e9",))

    assert wrong_value(one, "\u200ecafe\u0301") == ""


def declared(kind, **fields):
    return Input("it", kind, choices=CHOICES.get(kind, ()), **fields)


def test_every_type_of_the_language_is_tried():
    assert set(FIT) == set(DO_NOT) == set(grammar.INPUT_TYPES)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in FIT.items() for v in values])
def test_right_value(kind, value):
    assert wrong_value(declared(kind), value) == ""


@pytest.mark.parametrize(("kind", "value"),
                         [(k, v) for k, values in DO_NOT.items() for v in values])
def test_wrong_value_is_told_what_it_must_be(kind, value):
    assert wrong_value(declared(kind), value).startswith("must be ")


def test_choices_bound_every_type():
    size = Input("size", "integer", choices=(1, 2))

    assert wrong_value(size, 2) == ""
    assert wrong_value(size, 3) == "must be one of 1, 2"


def test_nearest_choice_is_offered():
    tone = Input("tone", "choice", choices=("friendly", "formal"))

    assert wrong_value(tone, "freindly") == ("must be one of friendly, formal; did you mean "
                                             "'friendly'?")


@pytest.mark.parametrize(("given", "others", "wrong"), [
    ({"word": "a"}, {}, {}),
    ({}, {"word": "a"}, {}),
    ({}, {}, {"inputs.word": "is required; give text"}),
    ({"word": None}, {"word": "a"}, {"inputs.word": "is required; give text"}),
    ({"word": 5}, {}, {"inputs.word": "must be text"}),
    ({"word": "a", "wrod": 1},
     {}, {"inputs.wrod": "is no such input; it has: word, size; did you mean 'word'?"}),
    ({"word": "a", "size": None}, {}, {}),
    ({"word": "a", "size": "big"}, {}, {"inputs.size": "must be a whole number"}),
])
def test_all_that_is_wrong_is_told_by_its_path(given, others, wrong):
    known = {"word": Input("word", "text", required=True), "size": Input("size", "integer")}

    assert check(known, given, others=others) == wrong


def test_default_counts_for_a_required_input():
    assert check({"word": Input("word", "text", default="a", required=True)}, {}) == {}


def test_required_ones_may_still_come_from_elsewhere():
    assert check({"word": Input("word", "text", required=True)}, {}, complete=False) == {}
