"""What becomes of values that hold `${{ }}`."""

from datetime import UTC, datetime

import pytest

from omni.errors import InvalidWorkflow
from registry.expressions.expression import ExpressionError
from registry.expressions.templates import compile_template

SCOPE = {"event": {"text": "Hi", "id": 7, "from_me": True, "content": {"a": [1]},
                   "occurred_at": datetime(2026, 11, 22, tzinfo=UTC)}}


@pytest.mark.parametrize(("value", "rendered"), [
    ("${{ event.id }}", 7), ("${{event.content}}", {"a": [1]}), ("${{ event.subject }}", None),
    ("${{ event.from_me }}", True), ("plain", "plain"), (5, 5), (None, None), (1.5, 1.5),
])
def test_a_text_that_is_one_expression_keeps_the_type(value, rendered):
    assert compile_template(value).render(SCOPE) == rendered


@pytest.mark.parametrize(("value", "rendered"), [
    ("say ${{ event.text }}!", "say Hi!"), ("<${{ event.subject }}>", "<>"),
    ("${{ event.text }}${{ event.id }}", "Hi7"), (" ${{ event.id }}", " 7"),
    ("is ${{ event.from_me }}", "is true"), ("got ${{ event.content }}", 'got {"a": [1]}'),
    ("at ${{ event.occurred_at }}", "at 2026-11-22T00:00:00+00:00"),
    ("${{ '}}' }} and ${{ '${{' }}", "}} and ${{"), ("$ {{ x }} $[a] {x}", "$ {{ x }} $[a] {x}"),
    ("${{ 'it\\'s }}' }}.", "it's }}."),
])
def test_mixed_text_becomes_text(value, rendered):
    assert compile_template(value).render(SCOPE) == rendered


def test_values_are_rendered_all_the_way_down():
    template = compile_template({"a": ["${{ event.id }}", {"b": "x ${{ event.text }}"}], "c": 3})

    assert template.render(SCOPE) == {"a": [7, {"b": "x Hi"}], "c": 3}
    assert template.names == {"event.id", "event.text"} and not template.literal


def test_a_rendered_value_is_a_fresh_copy():
    template = compile_template({"a": []})

    template.render({})["a"].append(1)

    assert template.render({}) == {"a": []} and template.literal


def test_the_text_of_a_message_is_never_a_template():
    template = compile_template("${{ event.text }} .")

    assert template.render({"event": {"text": "${{ event.id }} {{7*7}}"}}) == \
        "${{ event.id }} {{7*7}} ."


def test_every_mistake_is_reported_with_its_path_and_column():
    found = []

    compile_template({"a": ["ok ${{  event.tex }} ${{ evnt }}"], "b": "x ${{ 1"},
                     report=lambda path, problem: found.append((path, problem.column,
                                                                problem.message)))

    assert found == [
        (("a", 0), 15, "unknown field 'event.tex'; did you mean 'event.text'?"),
        (("a", 0), 26, "unknown name 'evnt'; did you mean 'event'?"),
        (("b",), 3, "'${{' is never closed; write ${{ … }}")]


def test_without_a_listener_mistakes_are_raised():
    with pytest.raises(InvalidWorkflow, match="'item' can only be used inside the do of for_each"):
        compile_template("${{ item.x }}", roots=["event"])


def test_mixed_text_is_limited_to_64_kilobytes():
    template = compile_template("${{ event.text }}${{ event.text }}")

    with pytest.raises(ExpressionError, match="longer than 64 KB"):
        template.render({"event": {"text": "a" * 40_000}})


def test_an_error_inside_a_template_names_the_expression():
    with pytest.raises(ExpressionError, match="division by zero in `1 / 0`"):
        compile_template("x ${{ 1 / 0 }}").render({})
