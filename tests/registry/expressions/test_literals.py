"""A literal with which a function can only fail is refused when the workflow is saved."""

import time

import pytest

from registry.expressions import literals
from registry.expressions.functions import FUNCTIONS
from registry.expressions.kinds import CALLS, look
from registry.language import document
from tests.registry.example_library import LIBRARY

TEXT = """\
omni: 1
id: literals
trigger: [{event: message.text}]
steps:
  - set: {x: "a ${{ %s }}"}
"""


def told(source):
    return [mistake.message.removesuffix("; this can only fail") for mistake in look(source)[1]]


@pytest.mark.parametrize(("source", "message"), [
    ("format_number(event.id, 2, 'pt-PTT')", "is not a known locale"),
    ("format_number(event.content.n, 2, 'xx')", "is not a known locale"),
    ("format_number(event.id, 16)", "decimals must be a whole number from 0 to 15"),
    ("format_number(event.id, -1)", "decimals must be a whole number"),
    ("format_number(event.id, 1.5)", "decimals must be a whole number"),
    ("time(event.content.at, 'Europe/Lissabon')", "is not a time zone"),
    ("hour(event.content.at, 'Europ')", "is not a time zone"),
    ("weekday(now, '')", "is not a time zone"), ("date(now, 'lisbon')", "is not a time zone"),
    ("in_hours(now, '09:00-18:00', 'Europ')", "is not a time zone"),
    ("in_hours(event.content.at, '9-18', 'UTC')", "needs hours like '09:00-18:00'"),
    ("in_hours(event.content.at, '9-18', event.text)", "needs hours like '09:00-18:00'"),
    ("split(event.text, '')", "needs a separator that is not empty"),
    ("contains(event.text, ['a', 5])", "needs text, not a number"),
    ("startswith(event.text, 'a', ['b', 5, event.id])", "needs text, not a number"),
    ("endswith(event.content.x, [5])", "needs text, not a number"),
    ("event.text.words([true])", "needs text, not true or false"),
    ("glob(event.text, [5])", "needs text, not a number"),
    ("sum(['1', event.content.n])", "needs a number, not text"),
    ("min([1, 'a'])", "needs a number, not text"), ("max(['5'])", "needs a number, not text"),
    ("add_hours(event.content.at, 10000000000000)", "the number is too large"),
    ("event.content.n / 0", "division by zero"), ("event.id % 0", "division by zero")])
def test_literal_that_can_only_fail_is_told(source, message):
    [found] = told(source)

    assert message in found


@pytest.mark.parametrize("source", [
    "add_hours('9999-12-31T23:59:59Z', event.content.n)",
    "add_hours('0001-01-01T00:00:00Z', event.content.n)",
    "add_seconds(event.content.at, 250000000000)", "add_seconds(event.content.at, -60000000000)",
    "1 / event.content.n", "5 % event.content.n", "round(3, event.content.n)",
    "format_number(event.id, 15, 'pt_BR')", "format_number(event.content.n, 0)",
    "time(event.content.at, 'Europe/Lisbon')", "hour(now, event.content.zone)",
    "in_hours(now, '9:00 - 18:00', 'UTC')", "split(event.text, event.content.separator)",
    "split('a', 'b')", "contains(event.content.list, 5)", "contains(event.content.list, [5])",
    "contains(contact.labels, ['a', 5])", "sum([])", "sum([1, null])", "min([event.text])",
    "format_number(event.content.n, null)", "time('09:00')", "add_hours(now, -5)",
    "replace(event.text, '', '')", "parse_json('{')", "number('x')", "default(5, 'a')",
    "round(1.5, 99)", "matches(event.text, 'a+')", "event.id / 0.5", "split(item, '-')"])
def test_literal_that_may_go_well_is_left_alone(source):
    assert told(source) == []


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_goes_well_with_some_sample(name):
    """Else every literal given to it would be refused."""
    takes, function = CALLS[name][0], FUNCTIONS[name]
    for count in range(function.least, (function.most or function.least) + 1):
        choices = [literals._samples(name, number, None, takes[min(number, len(takes) - 1)])
                   for number in range(count)]

        assert literals._failure(name, choices) == ""


@pytest.mark.parametrize(("source", "place", "meant"), [
    ("time(event.text, 'Europe/Lissabon')", (5, 38), "Europe/Lisbon"),
    ("date(now, 'america/sao_paolo')", (5, 31), "America/Sao_Paulo"),
    ("hour(now, 'Lisbon')", (5, 31), "Europe/Lisbon"),
    ("format_number(event.id, 2, 'pt-BRR')", (5, 48), "pt-br"),
    ("hour(now, 'Mars/Base')", (5, 31), "")])
def test_saving_names_the_place_and_what_was_probably_meant(source, place, meant):
    [found] = [problem for problem in document.problems(TEXT % source, library=LIBRARY)
               if problem.severity == "error"]

    assert (found.line, found.column) == place and found.suggestion == meant
    assert not meant or f"did you mean '{meant}'?" in found.message


def test_literal_beside_many_open_numbers_is_judged_at_once():
    started = time.perf_counter()

    [found] = told("max('5', " + ", ".join(f"event.content.n{n}" for n in range(30)) + ")")

    assert "needs a number" in found and time.perf_counter() - started < 1
