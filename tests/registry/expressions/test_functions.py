"""What the functions of the expression language give."""

from datetime import UTC, datetime

import pytest

from registry.expressions.expression import ExpressionError, compile_expression
from registry.expressions.functions import FUNCTIONS

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)  # a Sunday
SCOPE = {
    "now": NOW,
    "event": {"text": "Olá, quero o PREÇO do plano", "occurred_at": "2026-11-20T12:30:00Z",
              "received_at": datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "content": {"a": 1, "b": 2},
              "context": {"n": [3, 1, 2], "people": [{"name": "Ana"}, {"name": "Rui"}, 5]}},
    "contact": {"labels": ["vip", "new"]},
}


def value(source: str):
    return compile_expression(source).evaluate(SCOPE)


@pytest.mark.parametrize(("source", "expected"), [
    ("lower('AB')", "ab"),
    ("upper('ab')", "AB"),
    ("trim('  a ')", "a"),
    ("contains(event.text, 'preço')", True),
    ("contains(event.text, 'x', 'PLANO')", True),
    ("contains(event.text, ['x', 'y'])", False),
    ("contains(contact.labels, 'vip')", True),
    ("startswith(event.text, 'oi', 'Olá')", True),
    ("endswith(event.text, 'plano')", True),
    ("endswith(event.text, ['x'])", False),
    ("matches(event.text, 'quero\\s\\w+')", True),
    ("matches(event.text, '^quero')", False),
    ("glob('Order 12', 'order *')", True),
    ("glob('order', 'order *', 'o?der')", True),
    ("glob('a order', 'order*')", False),
    ("glob('aXbXc', 'a*b*c')", True),
    ("glob('', '*')", True),
    ("words(event.text, 'preço')", True),
    ("words(event.text, 'plan', 'pre')", False),
    ("words(event.text, 'preço do plano')", True),
    ("words(event.text, ['nada', 'olá'])", True),
    ("replace('a-b-c', '-', '+')", "a+b+c"),
    ("replace('abc', '', 'x')", "abc"),
    ("digits('+55 (11) 9-9')", "551199"),
    ("split('a b  c')", ["a", "b", "c"]),
    ("split('a,b', ',')", ["a", "b"]),
    ("join(contact.labels)", "vip, new"),
    ("join([1, true, null], '/')", "1/true/"),
    ("text(1.5)", "1.5"),
    ("text(null)", ""),
    ("text(event.content)", '{"a": 1, "b": 2}'),
    ("text(now)", "2026-11-22T12:30:00+00:00"),
    ("json(['é', null, true])", '["é", null, true]'),
    ("json(now)", '"2026-11-22 12:30:00+00:00"'),
])
def test_text_functions(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "expected"), [
    ("len('abc')", 3), ("len(contact.labels)", 2), ("len(event.content)", 2),
    ("default(event.subject, '', event.text)", SCOPE["event"]["text"]),
    ("default(null, null)", None), ("default(0, 5)", 0), ("default(false, true)", False),
    ("first(contact.labels)", "vip"), ("last(contact.labels)", "new"), ("first([])", None),
    ("last(null)", None), ("unique(['a', 'b', 'a'])", ["a", "b"]), ("unique([1, '1'])", [1, "1"]),
    ("keys(event.content)", ["a", "b"]), ("pluck(event.context.people, 'name')", ["Ana", "Rui"]),
    ("overlaps(contact.labels, ['vip'])", True), ("overlaps(contact.labels, ['x'])", False),
    ("overlaps(null, ['x'])", False), ("overlaps(['x'], null)", False),
    ("number('12')", 12), ("number(' 1.5 ')", 1.5), ("number('x')", None), ("number(7)", 7),
    ("number(true)", None), ("round(2.6)", 3), ("round(2.345, 1)", 2.3), ("abs(-2)", 2),
    ("min(event.context.n)", 1), ("max(4, 5, null)", 5), ("min([])", None),
    ("sum(event.context.n)", 6),
])
def test_list_and_number_functions(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "expected"), [
    ("hours_since(event.occurred_at)", 48.0), ("days_since(event.occurred_at)", 2.0),
    ("minutes_since(event.received_at)", 30.0), ("seconds_since(event.received_at)", 1800.0),
    ("hours_since(null)", None), ("hours_since('2026-11-22T12:00')", 0.5),
    ("seconds_between(event.received_at, now)", 1800.0),
    ("time('2026-11-22T12:30:00Z') == now", True),
    ("add_hours(now, 1) > now", True), ("add_seconds(now, -1) > now", False),
    ("add_hours(null, 1)", None), ("hour(now)", 12), ("hour(now, 'America/Sao_Paulo')", 9),
    ("weekday(now)", "sunday"), ("weekday(null)", None),
    ("date(time('2026-01-01T01:00:00Z'), 'America/Sao_Paulo')", "2025-12-31"),
    ("in_hours(now, '09:00-18:00')", True), ("in_hours(now, '22:00 - 06:00')", False),
    ("in_hours(time('2026-01-01T23:00:00Z'), '22:00-06:00')", True),
    ("in_hours(now, '10:00-18:00', 'America/Sao_Paulo')", False),
    ("in_hours(null, '09:00-18:00')", False),
])
def test_time_functions(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "expected"), [
    ("lower(null)", None), ("upper(null)", None), ("trim(null)", None),
    ("contains(null, 'a')", False), ("startswith(null, 'a')", False),
    ("endswith(null, 'a')", False), ("matches(null, 'a')", False), ("glob(null, 'a')", False),
    ("words(null, 'a')", False), ("replace(null, 'a', 'b')", None), ("digits(null)", ""),
    ("split(null)", []), ("join(null)", ""), ("unique(null)", []), ("keys(null)", []),
    ("pluck(null, 'a')", []), ("hour(null)", None), ("date(null)", None), ("time(null)", None),
    ("add_seconds(null, 1)", None),
])
def test_a_missing_text_is_never_an_error(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "message"), [
    ("len(null)", "len: needs text, a list or a mapping, not null; write len(default(x, ''))"),
    ("len(5)", "len: needs text, a list or a mapping, not a number"),
    ("lower(5)", "lower: needs text, not a number"),
    ("join('abc')", "join: needs a list, not text"),
    ("keys([])", "keys: needs a mapping, not a list"),
    ("sum(['a'])", "sum: needs a number, not text"),
    ("abs(true)", "abs: needs a number, not true or false"),
    ("split('a', '')", "split: needs a separator that is not empty"),
    ("hours_since('soon')", "hours_since: 'soon' is not a time"),
    ("hours_since(5)", "hours_since: needs a time, not a number"),
    ("hour(now, 'Mars/Base')", "hour: 'Mars/Base' is not a time zone; write one like "
                               "America/Sao_Paulo"),
    ("in_hours(now, 'always')", "in_hours: needs hours like '09:00-18:00'"),
    ("matches(event.text, default(event.subject, '(a+)+'))",
     "matches: pattern '(a+)+': a repeat inside a repeat is not allowed, like in (a+)+"),
    ("add_hours(now, 1000000000)", "date value out of range"),
])
def test_a_wrong_kind_of_value_is_told_with_the_function(source, message):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert caught.value.message == f"{message} in `{source}`"


@pytest.mark.parametrize("source", [
    "join(split(replace(event.text, 'a', event.text)), event.text)",
    "replace(event.text, 'aa', event.text)", "upper(event.text + event.text)",
    "text([event.text, event.text])",
])
def test_no_function_makes_more_than_64_kilobytes(source):
    scope = {"event": {"text": "a" * 60_000}}

    with pytest.raises(ExpressionError, match="longer than 64 KB"):
        compile_expression(source).evaluate(scope)


def test_a_hostile_glob_is_fast():
    scope = {"event": {"text": "a" * 60_000}}

    assert compile_expression("glob(event.text, '*a*a*a*a*a*b')").evaluate(scope) is False


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_says_what_it_does(name):
    function = FUNCTIONS[name]

    assert function.signature.startswith(f"{name}(") and function.about.endswith(".")


@pytest.mark.parametrize(("source", "expected"), [
    ("text(time('09:00', 'America/Sao_Paulo'))", "2026-11-22T09:00:00-03:00"),
    ("text(time('9:05:30', 'Asia/Tokyo'))", "2026-11-22T09:05:30+09:00"),
    ("time('09:00', 'America/Sao_Paulo') <= now and now < time('18:00', 'America/Sao_Paulo')",
     True),
    ("time('10:00', 'America/Sao_Paulo') <= now", False),
    ("text(time('2026-03-02T10:00', 'America/Sao_Paulo'))", "2026-03-02T10:00:00-03:00"),
    ("text(time('2026-03-02', 'America/Sao_Paulo'))", "2026-03-02T00:00:00-03:00"),
    ("text(time('2026-03-02T10:00Z', 'America/Sao_Paulo'))", "2026-03-02T07:00:00-03:00"),
    ("text(time(now, 'America/Sao_Paulo'))", "2026-11-22T09:30:00-03:00"),
    ("time('12:30') == now", True),
    # put forward at 02:00: what is skipped is as much later
    ("text(time('2026-03-08T02:30', 'America/New_York'))", "2026-03-08T03:30:00-04:00"),
    # put back at 02:00: what comes twice is the first
    ("text(time('2026-11-01T01:30', 'America/New_York'))", "2026-11-01T01:30:00-04:00"),
    ("seconds_between(time('2026-11-01T00:30', 'America/New_York'), "
     "time('2026-11-01T02:30', 'America/New_York'))", 10_800.0),
    ("time('2026-11-01T02:30', 'America/New_York') - time('2026-11-01T00:30', 'America/New_York')",
     10_800.0),
    ("text(add_hours(time('2026-11-01T01:30', 'America/New_York'), 1))",
     "2026-11-01T01:30:00-05:00"),
    ("add_hours(time('2026-11-01T01:30', 'America/New_York'), 1) > "
     "time('2026-11-01T01:30', 'America/New_York')", True),
])
def test_wall_time_of_a_zone(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("source", "message"), [
    ("time('25:00', 'UTC')", "time: '2026-11-22T25:00' is not a time"),
    ("time('09:00', 'Mars/Base')", "time: 'Mars/Base' is not a time zone; write one like "
                                   "America/Sao_Paulo"),
    ("format_number(1, 16)", "format_number: decimals must be a whole number from 0 to 15"),
    ("format_number('1')", "format_number: needs a number, not text"),
    ("parse_json(5)", "parse_json: needs text, not a number")])
def test_wrong_argument_is_told_with_the_new_function(source, message):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert caught.value.message == f"{message} in `{source}`"


@pytest.mark.parametrize(("source", "expected"), [
    ("format_number(1234.5)", "1234.50"), ("format_number(2.675)", "2.68"),
    ("format_number(-2.675)", "-2.68"), ("format_number(0.125)", "0.13"),
    ("format_number(-0.001)", "0.00"), ("format_number(7, 0)", "7"),
    ("format_number(1234567.891, 2, 'pt-BR')", "1.234.567,89"),
    ("format_number(1234567.891, 2, 'en_US')", "1,234,567.89"),
    ("format_number(1234.5, 2, 'fr-FR')", "1\u202f234,50"),
    ("format_number(null)", ""), ("format_number(123456789012345, 1)", "123456789012345.0"),
    ("round(2.5)", 3), ("round(-2.5)", -3), ("round(2.675, 2)", 2.68), ("round(1250, -2)", 1300),
    ("round(5, 2)", 5)])
def test_halves_are_rounded_away_from_zero(source, expected):
    assert value(source) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ('{"order": {"id": 7}}', {"order": {"id": 7}}), ("[1, 2.5, null]", [1, 2.5, None]),
    ('"a"', "a"), ("\ufeff {} ", {}), ("not json", None), ("", None), ("NaN", None),
    ("[1e999]", None), ("[" * 2000, None), ("9" * 5000, None), (None, None)])
def test_json_in_a_field_is_read_and_anything_else_is_null(text, expected):
    assert compile_expression("parse_json(event.text)").evaluate(
        {"event": {"text": text}}) == expected


def test_what_json_holds_can_be_read_at_once():
    assert value("parse_json('{\"order\": {\"id\": 7}}').order.id") == 7


@pytest.mark.parametrize("text", ["[" * 25 + "]" * 25, '"' + "a" * 70_000 + '"'])
def test_json_has_bounds(text):
    with pytest.raises(ExpressionError, match="levels|64 KB"):
        compile_expression("parse_json(event.text)").evaluate({"event": {"text": text}})


E_COMPOSED, E_DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("source", [
    "event.text == 'café'", "not (event.text != 'café')", "event.text in ['tea', 'café']",
    "'café' in event.text", "event.text in contact.labels", "contains(event.text, 'CAFÉ')",
    "startswith(event.text, 'caf\u00e9')", "endswith(event.text, '\u00e9')",
    "glob(event.text, 'caf\u00e9')", "words(event.text, 'café')", "matches(event.text, '^caf.$')",
    "overlaps([event.text], ['café'])", "contains(contact.labels, event.text)",
    "len(unique([event.text, 'café'])) == 1", "replace(event.text, 'é', 'e') == 'cafe'",
    "event.text <= 'café' and event.text >= 'café'", "[event.text] == ['café']",
    "trim(event.text) == 'café'"])
@pytest.mark.parametrize("text", [E_COMPOSED, E_DECOMPOSED, f"\u200e{E_DECOMPOSED}",
                                  f"\ufeff{E_COMPOSED}\u200b", f"{E_COMPOSED}\u200f"])
def test_text_is_the_same_however_it_was_typed(source, text):
    scope = {"event": {"text": text}, "contact": {"labels": [E_COMPOSED]}}

    assert compile_expression(source).evaluate(scope) is True


@pytest.mark.parametrize(("left", "right", "is_same"), [
    ("1", "1.0", True), ("1", "true", False), ("0", "false", False), ("1", "'1'", False),
    ("null", "false", False), ("null", "''", False), ("now", "'2026-11-22T12:30:00Z'", True),
    ("'2026-11-22T13:30:00+01:00'", "now", True), ("now", "'soon'", False), ("now", "5", False),
    ("[1, 'a']", "[1.0, 'a']", True), ("[1]", "[true]", False), ("'a b'", "'a  b'", False),
    ("' a'", "'a'", False), ("'A'", "'a'", False)])
def test_equality_and_membership_agree(left, right, is_same):
    assert value(f"{left} == {right}") is is_same
    assert value(f"{right} == {left}") is is_same
    assert value(f"{left} in [{right}]") is is_same
    assert value(f"overlaps([{left}], [{right}])") is is_same


@pytest.mark.parametrize(("left", "right"), [
    ("1", "1.0"), ("'a'", "'a'"), ("now", "'2026-11-22T12:30:00Z'"), ("now", "now")])
def test_what_is_equal_is_neither_less_nor_more(left, right):
    assert value(f"{left} == {right} and {left} <= {right} and {left} >= {right}") is True
    assert value(f"{left} < {right} or {left} > {right}") is False
