"""No evaluation does more than a counted amount of work, whatever it is given."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni.errors import InvalidInput
from registry.expressions import budget
from registry.expressions.budget import Budget, TooMuchError, spend, spend_all
from registry.expressions.expression import ExpressionError, compile_expression
from registry.expressions.functions import FUNCTIONS
from registry.expressions.sameness import among, key_of, same, share
from registry.expressions.templates import compile_template

NODES = 100_000  # values one delivery may hold
ITEMS = [f"item {number}" for number in range(NODES // 2)]
OTHERS = [f"other {number}" for number in range(NODES // 2)]
TEXT = "word é " * 9_000  # nearly as long as a text of an event may be
SCOPE = {"event": {"text": TEXT, "content": {
    "a": ITEMS, "b": OTHERS, "all": [*ITEMS, *OTHERS], "numbers": list(range(NODES)),
    "maps": [{"id": number} for number in range(NODES // 2)],
    "long": "é" * 32 * 2 ** 20}}}  # as much as a body of 64 MiB holds


def spent(source, scope=SCOPE):
    """Operations of an evaluation."""
    with Budget(10 ** 12) as count:
        compile_expression(source).evaluate(scope)
    return count.spent


@pytest.mark.parametrize("source", [
    "event.direction == 'inbound' and contains(event.text, 'help', 'agent', 'human')",
    "words(event.text, 'help', 'agent') or event.text.lower().startswith('menu')",
    "matches(event.text, '^order [0-9]{4,8}$') or glob(event.text, '*order*')",
    "'vip' in event.content.all", "'vip' not in event.content.a and 'x' not in event.content.b",
    "contains(event.content.all, 'vip', 'x', 'y')", "overlaps(event.content.all, ['vip'])",
    "overlaps(event.content.a, event.content.b)", "len(unique(event.content.all)) > 1",
    "7 in event.content.numbers", "sum(event.content.numbers) > 1",
    "pluck(event.content.maps, 'id')[0] == 0", "len(event.content.maps) > 2",
    "event.content.long == 'x' or first(event.content.all) == 'y'",
    "default(event.content.long, 'x') == 'y'", "len(event.content.long) > 1"])
def test_condition_may_search_the_largest_event(source):
    assert spent(source) <= budget.MOST


@pytest.mark.parametrize(("source", "call"), [
    (" or ".join(["overlaps(event.content.a, event.content.b)"] * 8), "overlaps: "),
    (" or ".join(["'vip' in event.content.all"] * 20), ""),
    (" or ".join(["contains(event.content.all, 'vip')"] * 20), "contains: "),
    ("lower(event.content.long) == 'x'", "lower: "), ("event.content.long in event.text", ""),
    ("contains(event.content.long, 'x')", "contains: "), ("event.content.long < 'é'", ""),
    ("len(split(event.content.long)) > 1", "split: "), ("json(event) == ''", "json: "),
    ("words(event.content.long, 'x')", "words: "), ("trim(event.content.long)", "trim: "),
    (" or ".join(["words(event.text, 'no')"] * 30), "words: "),
    (" or ".join(["glob(event.text, '*d é word é word x')"] * 30), "glob: "),
    (" + ".join(["len(unique(event.content.maps))"] * 5), "unique: ")])
def test_evaluation_that_is_too_much_ends_with_the_call_the_limit_and_the_place(source, call):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(SCOPE)

    message = caught.value.message
    assert message.startswith(f"{call}this is too much work: an evaluation may do at most 500,000 "
                              "operations in `")
    assert message.endswith(source[-40:] + "`")


def test_message_quotes_no_value_beside_a_secret():
    source = "lower(secrets.long) == 'x'"

    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate({"secrets": {"long": "s3cret" * 10 ** 7}})

    assert "500,000 operations" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_text_with_an_expression_in_it_is_not_made_of_too_much():
    template = compile_template("all: ${{ event.content }}")

    with pytest.raises(ExpressionError, match="too much work.*`event.content`"):
        template.render(SCOPE)


def test_evaluations_do_not_share_their_work():
    source = compile_expression("overlaps(event.content.a, event.content.b)")

    assert [source.evaluate(SCOPE) for _ in range(10)] == [False] * 10


def test_what_is_evaluated_within_a_budget_is_part_of_it():
    source = compile_expression("overlaps(event.content.a, event.content.b)")
    within = 0

    with (Budget(budget.MOST_OF_EVENT, "the whole") as whole,
          pytest.raises(ExpressionError, match="the whole may do at most 2,000,000 operations")):
        while True:
            source.evaluate(SCOPE)
            within += 1

    assert whole.spent <= budget.MOST_OF_EVENT and within == budget.MOST_OF_EVENT // spent(
        source.source)


def test_budget_that_was_used_up_inside_takes_no_more_than_it_was_given():
    with Budget(1000) as outer:
        with pytest.raises(TooMuchError), Budget(100):
            spend(10 ** 9)
        spend(900)

        with pytest.raises(TooMuchError):
            spend(1)
    assert outer.spent == 1000


def test_nothing_is_counted_outside():
    spend(10 ** 12)
    spend_all([ITEMS])


HUGE = {  # each of them more than an evaluation may look at
    "long text": "a b é " * 2 ** 20, "many blanks": " " * 2 ** 23, "many texts": ITEMS * 11,
    "many mappings": [{"a": 1}] * 2 ** 18, "wide mapping": {str(key): 1 for key in range(2 ** 18)},
    "long key": {"a" * 2 ** 23: 1}, "one in another": [[[["x" * 2 ** 23]]]]}


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_does_more_than_is_left_however_much_it_is_given(name, huge):
    """Also of functions that will be added: a look at what they are given is always counted."""
    function = FUNCTIONS[name]
    count = min(function.most or 3, 3)
    call = compile_expression(f"{name}({', '.join(['event.content.a'] * count)})")

    with Budget() as whole, suppress(ExpressionError):
        call.evaluate({"event": {"content": {"a": HUGE[huge]}}, "now": None})

    assert whole.spent == budget.MOST or (function.counts and whole.spent < budget.MOST)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(
        [0.5, 1.0, "a", "A", "\u200ea", "é", "e\u0301", "", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from("ab"), inner, max_size=2), max_leaves=5)


@given(VALUES, VALUES)
def test_values_have_one_key_exactly_when_they_are_the_same(one, other):
    assert (key_of(one) == key_of(other)) is same(one, other)


@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6))
def test_lists_share_what_one_of_them_holds_of_the_other(one, other):
    assert share(one, other) is any(any(same(a, b) for b in other) for a in one)


@given(VALUES, st.lists(VALUES, max_size=6))
def test_list_holds_what_is_the_same_as_one_of_its_items(item, items):
    assert among(item, items) is any(same(item, one) for one in items)


@settings(max_examples=50)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(VALUES, min_size=1, max_size=3))
def test_small_values_are_never_too_much(name, values):
    function = FUNCTIONS[name]
    values = (values * 3)[:max(function.least, min(len(values), function.most or 3))]
    source = f"{name}({', '.join(f'event.v{number}' for number in range(len(values)))})"
    scope = {"event": {"content": {}}, "now": None}
    source = source.replace("event.", "event.content.")
    scope["event"]["content"] = {f"v{number}": value for number, value in enumerate(values)}

    with Budget(10_000) as count:
        try:
            compile_expression(source).evaluate(scope)
        except InvalidInput as error:
            assert "too much" not in error.message
    assert count.spent < 2_000
