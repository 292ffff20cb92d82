"""What the YAML profile reads, refuses and writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidWorkflow) as caught:
        profile.load(text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(("written", "value"), [
    ("true", True), ("false", False), ("null", None), ("", None), ("7", 7), ("-7", -7), ("0", 0),
    ("1.50", 1.5), ("-0.25", -0.25), ("999999999999999", 999999999999999),
])
def test_words_and_decimal_numbers_are_not_text(written, value):
    assert profile.load(f"a: {written}").data == {"a": value}


@pytest.mark.parametrize("written", [r"\U00110000", r"\UFFFFFFFF"])
def test_character_that_there_is_not_is_told(written):
    assert "there is no such character" in problems(f'name: "{written}"')[0]


@pytest.mark.parametrize("written", [
    "on", "NO", "yes", "True", "NULL", "~", "+5511999990000", "017", "0x1F", "1_000", "12:30",
    "12:30:45", "2026-11-22", "1e5", ".5", "5.", ".inf", ".nan", "1234567890123456", "${{ x }}",
    "it's fine", "a b: c"[:3],
])
def test_everything_else_unquoted_is_text_as_written(written):
    assert profile.load(f"a: {written}").data == {"a": written}


HASH = "begins a comment: put the whole text in quotes"


@pytest.mark.parametrize(("text", "expected"), [
    ("with: {text: Hello #1}", "line 1, column 7: this { is never closed; the ' #' in line 1, "
                               f"column 20 {HASH}"),
    ("a:\n  - [Hello #1]\n", "line 2, column 5: this [ is never closed; the ' #' in line 2, "
                             f"column 12 {HASH}"),
    ("a: one #1\n  two", f"belongs to; indent it like the lines of the same mapping or list; the "
                         f"' #' in line 1, column 8 {HASH}"),
    ("a: one\n  two #1\n\n  # 2\n  three", f"list; the ' #' in line 2, column 7 {HASH}"),
    ("a:\n  - one #1\n    two", f"list; the ' #' in line 2, column 9 {HASH}"),
    ("b: 1\nkey #1: x", "line 2, column 1: this key has no ': ' after it; the ' #' in line 2, "
                        f"column 5 {HASH}"),
    ("a: {b: one #1,\n    c: two}", "is missing before this; the ' #' in line 1, column 12 "
                                  f"{HASH}"),
    ("a: [1, 2 # not closed", "this [ is never closed"),
    ("a: '#1]'\nb: [1, '#2]'", "this [ is never closed"),
    ("a: [one # the first\n    two]", "',' or the closing bracket is missing before this"),
    ("a: {b: 'one' # the first\n    c: 2}", "',' or the closing bracket is missing before this"),
    ("a: {b: one, # {c}\n    d: 2\n", "this { is never closed"),
    ("a: {b: one, # to }\n    d: 2\n", "this { is never closed"),
    ("b: 1\nkey # see: there", "this key has no ': ' after it"),
    ("a: one # the first\n  two", "indent it like the lines of the same mapping or list"),
    ("a: {b: 'c' #1\n    d: e}", "',' or the closing bracket is missing before this"),
    ("a: 1 # one\n  b: 2", "indent it like the lines of the same mapping or list"),
])
def test_text_that_cannot_be_read_because_of_a_comment_says_so(text, expected):
    [found] = problems(text)

    assert found.endswith(expected)


def test_quoted_numbers_are_text():
    assert profile.load("a: '5'\nb: \"true\"").data == {"a": "5", "b": "true"}


@pytest.mark.parametrize(("text", "expected"), [
    ("a: 1\nb: 2\na: 3", ["line 3, column 1: duplicate key 'a' (first at line 1)"]),
    ("a: {{ event.text }}",
     ["line 1, column 5: unquoted {{ … }} is a YAML mapping; write ${{ … }}"]),
    ("a: {{ event.text }} and more",
     ["line 1, column 5: unquoted {{ … }} is a YAML mapping; write ${{ … }}"]),
    ("if: !event.from_me and x",
     ["line 1, column 5: YAML tag '!event.from_me' is not allowed; write `not x` instead of `!x`"]),
    ("a: !!python/object/apply:os.system [ls]",
     ["line 1, column 4: YAML tag '!!python/object/apply:os.system' is not allowed; remove it"]),
    ("a: &x [*x]", ["line 1, column 4: anchor '&x' is not allowed; remove it",
                    "line 1, column 8: alias '*x' is not allowed; write the value out"]),
    ("<<: {a: 1}",
     ["line 1, column 1: merge keys (<<) are not allowed; write the keys out"]),
    ("12: a", ['line 1, column 1: a key must be text; write "12" in quotes']),
    ("true: a", ['line 1, column 1: a key must be text; write "true" in quotes']),
    ("? [a]\n: b", ["line 1, column 3: a key must be text"]),
    ("a: 1\n---\nb: 2", ["line 2, column 1: one document only; a second one starts here"]),
    ("a:\n\tb: 1", ["line 2, column 1: a tab is not allowed here; indent with spaces"]),
    ("where: 'vip' in contact.labels",
     ["line 1, column 14: text after a closing quote; put the whole value in quotes"]),
    ("if: event.text == 'a: b'",
     ["line 1, column 21: ': ' inside an unquoted value; put the whole value in quotes"]),
    ("a: {b: ${{ x }}}", ['line 1, column 9: inside {…} or […] write "${{ … }}" in quotes']),
    ("a: {b: type it?}",
     ["line 1, column 15: inside {…} or […] text with '?' must be in quotes"]),
    ("a: \x00", ["line 1, column 4: this character is not allowed in YAML; remove it"]),
    ('a: "\\0"', ["line 1, column 4: the text holds a character that cannot be stored; remove it"]),
    ('a: "\\ud800"', ["line 1, column 4: the text holds a character that cannot be stored; remove"
                      " it"]),
    ('"\\0": 1', ["line 1, column 1: the key holds a character that cannot be stored; remove it"]),
    ("[" * 25 + "]" * 25, ["line 1, column 25: nested deeper than 24 levels; move inner steps to "
                           "a workflow of their own and call it"]),
    ("[" * 90_000, ["line 1, column 25: nested deeper than 24 levels; move inner steps to a "
                    "workflow of their own and call it"]),
    ("a: '" + "x" * 205_000 + "'", ["line 1, column 1: the document is larger than 200 KB"]),
    ("a: [1, 2", ["line 1, column 4: this [ is never closed"]),
    ("a: 1\na: 2\nb: &c 1\nd: *c", ["line 2, column 1: duplicate key 'a' (first at line 1)",
                                    "line 3, column 4: anchor '&c' is not allowed; remove it",
                                    "line 4, column 4: alias '*c' is not allowed; write the value"
                                    " out"]),
])
def test_what_the_profile_refuses_is_told_with_its_place(text, expected):
    assert problems(text) == expected


def test_a_problem_as_data_has_every_field():
    with pytest.raises(InvalidWorkflow) as caught:
        profile.load("a: 1\na: 2")

    assert caught.value.problems[0].as_dict() == {
        "line": 2, "column": 1, "code": "duplicate_key", "suggestion": "", "severity": "error",
        "message": "duplicate key 'a' (first at line 1)"}


def test_values_and_keys_have_marks_of_their_own():
    document = profile.load("a:\n  - b: 1\n    c: [x, y]\n")

    assert document.data == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert document.marks[("a", 0, "c", 1)] == (3, 12)
    assert document.key_marks[("a", 0, "c")] == (3, 5)


def test_the_mark_of_a_missing_part_is_that_of_what_is_around_it():
    document = profile.load("a:\n  b: 1\n")

    assert document.mark(("a", "x", 3)) == (2, 3)
    assert document.key_mark(("a", "x")) == (2, 3)


@pytest.mark.parametrize(("text", "offset", "position"), [
    ("a: hello", 4, (1, 8)),
    ("a: 'it''s x'", 5, (1, 11)),
    ('a: "\\u00e9 x"', 2, (1, 12)),
    ("a: |\n  one\n  two\n", 4, (3, 3)),
    ("a: |\n  one\n  two\n", 6, (3, 5)),
    ("a: >\n  one\n  two\n", 4, (3, 3)),
    ("a: one\n  two\n", 5, (1, 4)),
    ("a: [1]", 3, (1, 4)),
])
def test_a_place_inside_a_text_is_found_in_the_source(text, offset, position):
    assert profile.load(text).position(("a",), offset) == position


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_document_is_null(text):
    assert profile.load(text).data is None


def test_a_byte_order_mark_is_passed_over():
    assert profile.load("\ufeffa: 1").data == {"a": 1}


@pytest.mark.parametrize("value", [
    "yes", "12:30", "", " x", "a: b", "# a", "a #b", "-", "5", "1.5", "null", "~", "+5511",
    "line\n", "two\nlines", "  indented\n\tx \n", "é😀", "!x", "&x", "*x", "{{ x }}", "${{ x }}",
    "%x", "@x", "`x`", "a\r\nb", "\u2028", "- x", "? x", "'", '"', "=", "<<",
])
def test_text_survives_writing_and_reading(value):
    data = {"key": value, value or "k": [value]}

    assert profile.load(profile.dump(data)).data == data


def test_documents_are_written_in_block_style_and_in_order():
    data = {"b": [{"x": 1, "y": []}], "a": None, "t": True, "n": 0.5, "big": 10**16}

    assert profile.dump(data) == (
        "b:\n  - x: 1\n    y: []\na: null\nt: true\nn: 0.5\nbig: '10000000000000000'\n")


def test_small_decimals_are_written_without_an_exponent():
    assert profile.load(profile.dump({"a": 1e-7})).data == {"a": 1e-7}


def test_a_value_that_is_not_plain_data_cannot_be_written():
    with pytest.raises(InvalidInput, match="cannot be written as YAML"):
        profile.dump({"a": object()})


PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-10**14, 10**14) | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXT, inner, max_size=4),
    max_leaves=10))
def test_whatever_is_written_reads_back_the_same(data):
    assert profile.load(profile.dump(data)).data == data


@given(st.text(max_size=200))
def test_any_text_is_data_or_problems_and_nothing_else(text):
    try:
        profile.load(text)
    except InvalidWorkflow as error:
        assert error.problems
