"""Which regular expressions people may write, and that a search gives up in time."""

import time

import pytest

from omni.errors import InvalidInput
from registry.expressions.patterns import lint, search


@pytest.mark.parametrize("pattern", [
    r"\+?\d{8,15}", r"https?://\S+", r"(?i)\border\s{0,3}#?\d{4,10}\b", ".*=x", "(foo|bar)?x",
    r"(\d{3}-){2}\d{4}", r"(\+\d{1,3})?\d+", "(a|b)+", "a{1000}", "", "^oi$",
])
def test_ordinary_patterns_pass(pattern):
    assert lint(pattern) == ""


@pytest.mark.parametrize("pattern", ["(a+)+$", "((a)*b)+", "(?:(?:a?)?)*", "(?>a+)+",
                                     r"(\d{1,3}\.){3}", "(a+?)*"])
def test_a_repeat_inside_a_repeat_is_refused(pattern):
    assert lint(pattern) == "a repeat inside a repeat is not allowed, like in (a+)+"


def test_an_alternation_inside_a_repeat_is_refused():
    assert lint("(foo|bar)+") == ("an alternation inside a repeat is not allowed; use words() for "
                                  "several words")


@pytest.mark.parametrize("pattern", [r"(\w)\1", r"(?P<x>a)(?P=x)", r"(a)?(?(1)b|c)"])
def test_a_back_reference_is_refused(pattern):
    assert lint(pattern) == "a back-reference is not allowed"


@pytest.mark.parametrize("pattern", [".*.*=x", ".{0,64}.{0,64}=x", r"a+\s*", "(?=a+)b*"])
def test_a_second_wide_repeat_is_refused(pattern):
    assert lint(pattern) == (r"only one repeat may be wider than 16; bound the others, like "
                             r"\s{0,3}, or use glob() or words()")


@pytest.mark.parametrize(("pattern", "message"), [
    ("(", "not a regular expression: missing ), unterminated subpattern at position 0"),
    ("a{1,4294967296}", "not a regular expression: the repetition number is too large"),
    ("(" * 5000, "the pattern is longer than 500 characters"),
])
def test_what_is_no_pattern_is_told(pattern, message):
    assert lint(pattern) == message


def test_a_search_looks_anywhere_in_the_first_thousand_characters():
    assert search("well, order 1234 please", r"order \d{4}")
    assert not search(" " * 1000 + "order", "order")


def test_a_search_with_a_refused_pattern_names_it():
    with pytest.raises(InvalidInput, match=r"pattern '\(a\+\)\+': a repeat inside a repeat"):
        search("aaa", "(a+)+")


def test_a_search_that_takes_too_long_gives_up():
    slow = "a{1,16}" * 12 + "b"
    start = time.monotonic()

    with pytest.raises(InvalidInput, match="took longer than 50 ms"):
        search("b" + "a" * 999, slow)

    assert time.monotonic() - start < 5
