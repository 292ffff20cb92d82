"""Patterns in little memory decide as the rules do."""

from hypothesis import given
from hypothesis import strategies as st

from actions.people.access_rules import longest, names_of, parse
from actions.people.pattern_index import PatternIndex

HANDLES = ["+5511988887777", "+55 (11) 98888-7777", "5511988887777@s.whatsapp.net", "5511",
           "120363041234567890@g.us", "120363041234567890", "187654321098765@lid",
           "187654321098765@s.whatsapp.net", "Ana@Example.org", "@ana", "ana", "tel:+4412345678",
           "josé@exemplo.pt", ""]
PATTERNS = st.one_of(st.sampled_from(HANDLES), st.builds(
    lambda handle, length: f"{handle[:length]}*", st.sampled_from(HANDLES), st.integers(0, 20)))


@given(patterns=st.lists(PATTERNS, max_size=12, unique=True),
       handles=st.lists(st.sampled_from(HANDLES), max_size=3))
def test_index_finds_the_rules_that_fit_and_no_other(patterns, handles):
    names, index = names_of(handles), PatternIndex(patterns)
    rules = [parse(pattern) for pattern in patterns]
    found = list(index.fitting(names))

    assert {rule.pattern for rule in found} == {rule.pattern for rule in rules if rule.fits(names)}
    assert (longest(found, names) is None) == (longest(rules, names) is None)


@given(patterns=st.lists(PATTERNS, max_size=12, unique=True), asked=PATTERNS)
def test_index_holds_a_pattern_as_it_is_written(patterns, asked):
    assert PatternIndex(patterns).holds(asked) is (asked in patterns)


def test_hundred_thousand_phones_take_less_than_three_megabytes():
    index = PatternIndex(f"+5511{number:09d}" for number in range(100_000))

    assert len(index) == 100_000 and index.size_bytes < 3_000_000
    assert [rule.pattern for rule in index.fitting(frozenset({"5511000054321"}))] == [
        "+5511000054321"]
