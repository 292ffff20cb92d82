"""What the functions of the expression language give."""

from datetime import UTC, datetime

import pytest

from registry.expressions import ExpressionError, compile_expression
from registry.functions import FUNCTIONS

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
