"""What the expression language means, refuses and reports."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni.errors import InvalidInput, InvalidWorkflow
from registry.expressions.expression import ExpressionError, compile_expression

SCOPE = {
    "event": {"text": "Hello", "direction": "inbound", "from_me": False,
              "media": {"duration_s": 30, "kind": "audio"},
              "attachments": [{"kind": "image"}, {"kind": "video"}],
              "occurred_at": "2026-11-22T10:00:00Z",
              "content": {"votes": [1, 2], "_id": 7, "class": "x"}},
    "contact": {"labels": ["vip"]},
    "conversation": {"is_group": False},
    "steps": {"my-step": {"output": {"text": "x"}}},
    "now": datetime(2026, 11, 22, 12, tzinfo=UTC),
}


def value(source: str):
    return compile_expression(source).evaluate(SCOPE)


def problems(source: str, **options) -> list[tuple[int, str]]:
    with pytest.raises(InvalidWorkflow) as caught:
        compile_expression(source, **options)
    return [(problem.column, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(("source", "expected"), [
    ("event.text", "Hello"), ("event['text']", "Hello"), ("event.media.kind", "audio"),
    ("event.attachments[1].kind", "video"), ("event.attachments[-1]['kind']", "video"),
    ("event.content.votes[0]", 1), ("event.content['_id']", 7), ("event.content['class']", "x"),
    ("steps['my-step'].output.text", "x"), ("event.text.lower()", "hello"),
    ("event.attachments[1].kind.upper()", "VIDEO"), ("default(event.subject, 'none')", "none"),
    ("true", True), ("false", False), ("null", None), ("True", True), ("None", None),
    ("[1, 'a', null]", [1, "a", None]), ("(1, 2)", [1, 2]), ("'a' 'b'", "ab"),
    ("1 if event.from_me else 2", 2), ("not event.from_me", True),
    ("event.text and event.direction", "inbound"), ("event.subject or 'x' or 'y'", "x"),
    ("event.from_me and 1 and 2", False), ("'' or 0", 0),
])
def test_literals_paths_and_logic(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize("source", [
    "event.subject", "event.content.a.b.c", "event.content.votes[9]", "event.content.votes['a']",
    "event.content.votes[999999999]", "event.content[0]", "event.text[0]",
    "event.content['kind'].x",
    "item.anything", "event.content.proto", "event.attachments[0][0][0]",
    "event.content['__class__']['__mro__']", "true.x", "'text'.x", "vars.x.y", "error.code",
])
def test_whatever_is_missing_is_null(source):
    assert value(source) is None


@pytest.mark.parametrize(("source", "expected"), [
    ("event.subject == null", True), ("event.text == 'Hello'", True), ("event.text != 'x'", True),
    ("event.media.duration_s < 900", True), ("event.media.duration_s >= 30", True),
    ("event.media.width > 5", False), ("event.media.width <= 5", False), ("null < null", False),
    ("1 < 2 < 3", True), ("1 < 2 > 3", False), ("1 <= 1.5", True), ("'a' < 'b'", True),
    ("now > event.occurred_at", True), ("event.occurred_at > now", False),
    ("'vip' in contact.labels", True), ("'x' not in contact.labels", True),
    ("'x' in contact.lists", False), ("'x' not in contact.lists", True),
    ("'ell' in event.text", True), ("null in event.text", False), ("'text' in event", True),
    ("event.direction in ['inbound', 'outbound']", True), ("null in [1, null]", True),
    ("1 in event.content", False), ("event.content.votes == [1, 2]", True),
])
def test_comparisons(source, expected):
    assert value(source) is expected


@pytest.mark.parametrize(("source", "expected"), [
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 / 2", 3.5), ("7 % 4", 3), ("-event.media.duration_s",
                                                                         -30),
    ("'a' + 'b'", "ab"), ("[1] + [2]", [1, 2]), ("1 + event.subject", None), ("-null", None),
    ("now - time('2026-11-22T11:00:00Z')", 3600.0),
])
def test_arithmetic(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "message"), [
    ("'a' < 1", "cannot compare text with a number in `'a' < 1`"),
    ("true < 1", "cannot compare true or false with a number in `true < 1`"),
    ("[1] < [2]", "cannot compare a list with a list in `[1] < [2]`"),
    ("now > 5", "needs a time, not a number in `now > 5`"),
    ("'a' in 5", "cannot look for text in a number in `'a' in 5`"),
    ("5 in event.text", "cannot look for a number in text in `5 in event.text`"),
    ("1 / 0", "division by zero in `1 / 0`"), ("1 % 0", "division by zero in `1 % 0`"),
    ("1 + 'a'", "cannot calculate a number + text in `1 + 'a'`"),
    ("'a' * 3", "cannot calculate text * a number in `'a' * 3`"),
    ("'%s' % event.text", "cannot calculate text % text in `'%s' % event.text`"),
    ("true + 1", "cannot calculate true or false + a number in `true + 1`"),
    ("999999999999 * 999999999999",
     "the number is too large in `999999999999 * 999999999999`"),
    ("len(null)", "len: needs text, a list or a mapping, not null; "
                  "write len(default(x, '')) in `len(null)`"),
])
def test_a_wrong_kind_of_value_is_an_error_that_names_the_expression(source, message):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert caught.value.message == message and isinstance(caught.value, InvalidInput)


@pytest.mark.parametrize(("source", "expected"), [
    ("event.text && event.from_me",
     [(12, "syntax error; use 'and' instead of '&&' in `event.text && ...`")]),
    ("event.text || true", [(12, "syntax error; use 'or' instead of '||' in `event.text || ...`")]),
    ("!event.from_me", [(1, "syntax error; use 'not' instead of '!' in `! ...`")]),
    ("event.text === 'a'",
     [(12, "syntax error; use '==' instead of '===' in `event.text === ...`")]),
    ("event.text !== 'a'",
     [(12, "syntax error; use '!=' instead of '!==' in `event.text !== ...`")]),
    ("event.text <> 'a'", [(12, "syntax error; use '!=' instead of '<>' in `event.text <> ...`")]),
    ("event.text = 'a'", [(12, "syntax error; use '==' instead of '=' in `event.text = ...`")]),
    ("event.text AND true",
     [(12, "syntax error; use 'and' instead of 'AND' in `event.text AND ...`")]),
    ("event.text is null", [(15, "syntax error; use '==' or '!=' instead of 'is'")]),
    ("event.text ? 1 : 2",
     [(12, "syntax error; use 'a if test else b' instead of '? :' in `event.text ? 1 ...`")]),
    ("event.text | lower", [(1, "syntax error; '|' is not part of the language; use 'or', or call "
                                "a function: lower(event.text)")]),
    ("event.from_me & true", [(1, "syntax error; use 'and' instead of '&'")]),
    ("event.text # why", [(12, "syntax error; a comment cannot stand inside an expression")]),
    ("event.text == 'a", [(15, "syntax error; this quote is never closed; ' #' starts a comment in "
                               "YAML: put the whole value in quotes")]),
    ("(event.text", [(1, "syntax error; '(' was never closed; inside a YAML {…} a comma ends the "
                         "value unless it is in quotes")]),
    ("event.text)", [(11, "syntax error; unmatched ')'")]),
    ("event.text == 'x' else 1", [(19, "syntax error in `event.text == 'x' else ...`")]),
    ("event.text `x`", [(12, "syntax error at '`' in `event.text ` ...`")]),
    ("", [(1, "the expression is empty")]), ("  ", [(1, "the expression is empty")]),
    ("a" * 2001, [(1, "the expression is longer than 2000 characters")]),
    ("\ufdd0", [(1, "a character of the expression is not allowed")]),
])
def test_syntax_errors_say_what_to_write(source, expected):
    assert problems(source) == expected


@pytest.mark.parametrize(("source", "expected"), [
    ("event.tex", [(7, "unknown field 'event.tex'; did you mean 'event.text'?")]),
    ("evnt.text", [(1, "unknown name 'evnt'; did you mean 'event'?")]),
    ("event.direction == inbound", [(20, "unknown name 'inbound'; text needs quotes")]),
    ("event.text.foo", [(12, "unknown field 'event.text.foo'; 'event.text' holds no fields")]),
    ("event.media.kin",
     [(13, "unknown field 'event.media.kin'; did you mean 'event.media.kind'?")]),
    ("conversation.is_grup",
     [(14, "unknown field 'conversation.is_grup'; did you mean 'conversation.is_group'?")]),
    ("steps.x.outpt", [(9, "unknown field 'steps.x.outpt'; did you mean 'steps.x.output'?")]),
    ("run.foo", [(5, "unknown field 'run.foo'; known: id, version, attempt, replay, "
                     "workflow, started_at, dry_run")]),
    ("now.x", [(5, "unknown field 'now.x'; 'now' holds no fields")]),
    ("lowr('a')", [(1, "unknown function 'lowr'; did you mean 'lower'?")]),
    ("event.text.lowr()", [(12, "unknown function 'lowr'; did you mean 'lower'?")]),
    ("open('x')", [(1, "unknown function 'open'; the functions are listed in docs/workflows.md")]),
    ("lower", [(1, "'lower' is a function; write lower(text)")]),
    ("contains('a')", [(1, "'contains' takes other arguments: contains(text, part, …)")]),
    ("lower('a', 'b')", [(1, "'lower' takes other arguments: lower(text)")]),
    ("len(x=1)", [(1, "named arguments are not part of the language; write len(value)")]),
    ("event.text(1)", [(1, "'text' takes other arguments: text(value)")]),
    ("[event][0](1)", [(1, "only a function can be called")]),
    ("matches(event.text, '(a+)+')",
     [(21, "matches: a repeat inside a repeat is not allowed, like in (a+)+")]),
    ("event.tex == event.sorce", [
        (7, "unknown field 'event.tex'; did you mean 'event.text'?"),
        (20, "unknown field 'event.sorce'; did you mean 'event.source'?")]),
    ("'é' + event.tex", [(13, "unknown field 'event.tex'; did you mean 'event.text'?")]),
    ("  true and\n event.tex", [(19, "unknown field 'event.tex'; did you mean 'event.text'?")]),
])
def test_wrong_names_are_told_with_column_and_nearest_name(source, expected):
    assert problems(source) == expected


@pytest.mark.parametrize("source", [
    "event.content.anything", "event.context.a.b", "event.provider_metadata.guild_id",
    "event.attachments[0].anything", "vars.a.b", "inputs.x", "item.a", "steps.x.output.y.z",
])
def test_open_parts_take_any_field(source):
    assert compile_expression(source).names


@pytest.mark.parametrize(("source", "expected"), [
    (r"'a\'b'", "a'b"), (r'"a\"b"', 'a"b'), (r"'a\\b'", "a\\b"), (r"'\d+\.x'", r"\d+\.x"),
    (r"'a\nb\tc'", "a\nb\tc"), (r"'\x41'", r"\x41"), ("'a && b # c ! d'", "a && b # c ! d"),
    ("'é😀'", "é😀"), ("'''a'''", "a"),
])
def test_inside_quotes_a_backslash_escapes_only_quotes_and_space(source, expected):
    assert value(source) == expected


def test_python_attributes_are_never_read():
    class Secret:
        text = "leaked"

        def get(self, key):
            return "leaked"

    assert compile_expression("event.text").evaluate({"event": Secret()}) is None


def test_a_mapping_that_is_not_a_dict_can_be_read():
    class View(Mapping):
        def __getitem__(self, key):
            return f"<{key}>"

        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

    assert compile_expression("event.content.x").evaluate({"event": {"content": View()}}) == "<x>"


@pytest.mark.parametrize("source", ["event.text + event.text", "event.batch + event.batch"])
def test_nothing_grows_without_bound(source):
    scope = {"event": {"text": "a" * 40_000, "batch": [0] * 6_000}}

    with pytest.raises(ExpressionError, match="longer than"):
        compile_expression(source).evaluate(scope)


def test_an_expression_of_more_than_200_parts_is_refused():
    assert problems(" + ".join(["1"] * 120)) == [(1, "the expression has more than 200 parts")]


def test_names_are_the_paths_that_are_read():
    expression = compile_expression(
        "event.text.lower() == steps.stt.output.text and event.attachments[0].kind in inputs.kinds"
        " and hours_since(event.occurred_at) > 1")

    assert expression.names == {"event.text", "steps.stt.output.text", "event.attachments",
                                "inputs.kinds", "event.occurred_at", "now"}


def test_an_expression_without_names_is_constant():
    assert compile_expression("1 < 2").constant and not compile_expression("event.text").constant


def test_only_the_given_roots_can_be_read():
    assert problems("item.x", roots=["event"]) == [
        (1, "'item' can only be used inside the do of for_each")]
    assert problems("contact.id", roots=["event"]) == [(1, "'contact' cannot be used here")]
    assert problems("evnt.x", roots=["event"]) == [
        (1, "unknown name 'evnt'; did you mean 'event'?")]
    assert compile_expression("mine.x", roots=["mine"]).evaluate({"mine": {"x": 1}}) == 1


def test_equal_texts_give_equal_expressions():
    assert compile_expression("event.text") == compile_expression("event.text")


@given(st.text("abcdefgh.()[]'\"+-*/%<>=!&|# 0123456789\\,{}:\n\t_", max_size=60))
def test_any_text_compiles_or_is_a_list_of_problems(text):
    try:
        compile_expression(text)
    except InvalidWorkflow as error:
        assert error.problems


@given(st.sampled_from([
    "event.text + event.content", "event.text < event.content", "event.text in event.content",
    "event.text == event.content", "not event.text", "event.text[event.content]",
    "-event.text", "len(event.text)", "contains(event.text, event.content)",
    "hours_since(event.text)", "event.text * event.content", "round(event.text, event.content)",
    "join(event.text, event.content)", "unique(event.text)", "sum(event.text)"]),
    *[st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                   lambda inner: st.lists(inner, max_size=3)
                   | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=4)] * 2)
def test_any_values_give_a_value_or_an_expression_error(source, text, content):
    scope = {"event": {"text": text, "content": content}, "now": SCOPE["now"]}

    try:
        compile_expression(source).evaluate(scope)
    except ExpressionError as error:
        assert source in error.message
