"""Parts of a document that can only fail are refused when it is saved, and nothing else is."""

import pytest

from omni.errors import InvalidWorkflow
from registry.expressions import names
from registry.expressions.functions import FUNCTIONS
from registry.expressions.kinds import CALLS, INPUTS, look
from registry.language import document
from tests.registry.example_library import EXAMPLES, LIBRARY

KINDS = {"size": "number", "wait": "text", "many": "list"}
TEXT = """\
omni: 1
id: kinds
inputs: {many: {type: list, default: []}, pause: {type: duration, default: 5m}}
trigger: [{event: message.text%s}]
steps:
  - set: {x: "%s"}
"""


def told(source):
    return [mistake.message.removesuffix("; this can only fail")
            for mistake in look(source, inputs=KINDS)[1]]


@pytest.mark.parametrize(("source", "message"), [
    ("event.text + 1", "cannot calculate text + a number; write number(…) of the text, or text(…) "
                       "of the number"),
    ("event.text < 5", "cannot compare text with a number; write number(…) of the text"),
    ("inputs.wait > inputs.size", "cannot compare text with a number; write number(…) of the text"),
    ("event.from_me < true", "cannot compare true or false with true or false"),
    ("contact.labels < ['a']", "cannot compare a list with a list"),
    ("event.occurred_at > 5", "cannot compare a time with a number"),
    ("event.occurred_at > 'soon'", "'soon' is not a time"),
    ("now - 60", "cannot calculate a time - a number; write add_seconds(…)"),
    ("-event.text", "cannot calculate - text"),
    ("5 in event.text", "cannot look for a number in text"),
    ("'a' in event.id", "cannot look for text in a number"),
    ("add_seconds(now, '5m')", "add_seconds: needs a number, not text"),
    ("now.add_hours(inputs.wait)", "add_hours: needs a number, not text"),
    ("lower(event.id)", "lower: needs text, not a number"),
    ("len(event.from_me)", "len: needs text or a list or a mapping, not true or false"),
    ("join(event.text)", "join: needs a list, not text"),
    ("contains(event.text, 5)", "contains: needs text or a list, not a number"),
    ("hours_since('soon')", "'soon' is not a time"), ("time('25:00')", "'25:00' is not a time"),
    ("hour(now, 'Mars/Base')",
     "hour: 'Mars/Base' is not a time zone; write one like America/Sao_Paulo"),
    ("event.content.a[event.text + 1]", "cannot calculate text + a number; write number(…) of the "
                                        "text, or text(…) of the number"),
    ("default(event.text, 'a') * 2",
     "cannot calculate text * a number; write number(…) of the text")])
def test_part_that_can_only_fail_is_told(source, message):
    assert told(source) == [message]


@pytest.mark.parametrize("source", [
    "event.content.a + 1", "event.text + 'a'", "number(event.text) + 1", "null + 1", "len(null)",
    "event.text == 5", "event.text in [1, 2]", "5 in event.content", "5 in contact.labels",
    "event.occurred_at > '2026-01-01'", "event.text < now", "now - event.occurred_at > 60",
    "time('9:30', 'America/Sao_Paulo') <= now", "inputs.other + 1", "inputs.size + 1",
    "item + 1", "vars.x < 5", "steps.a.output.n + 1", "steps.a.attempts + 1", "loop.index + 1",
    "contains(contact.labels, 5)", "contains(event.text, ['a'])", "min(inputs.many)", "min(1, 2)",
    "first(contact.labels) + 1", "parse_json(event.text).n + 1", "(event.text or 5) + 1",
    "('a' if event.from_me else 5) < 3", "event.batch[0].text + 'a'", "'a' < 'b'", "text(5) + 'a'",
    "[1] + contact.labels", "event.media.size / 1024 < 5", "overlaps(contact.labels, ['a'])",
    "hour(now, inputs.wait) < 5", "default(event.subject, 5) * 2"])
def test_part_that_may_go_well_is_left_alone(source):
    assert told(source) == []


def test_every_function_has_its_kinds():
    assert CALLS.keys() == FUNCTIONS.keys()


def test_every_kind_is_one_of_the_language():
    kinds = {*INPUTS.values(), *(gives for _, gives in CALLS.values() if gives)}

    assert kinds <= set(names.Kind.__args__)


def problems(where="", value="a"):
    return [str(problem) for problem in document.problems(TEXT % (where, value), library=LIBRARY)
            if problem.severity == "error"]


def test_mistake_is_told_with_its_line_and_column():
    assert problems(value="n is ${{ event.text + 1 }}") == [
        "line 6, column 24: cannot calculate text + a number; write number(…) of the text, or "
        "text(…) of the number; this can only fail"]
    assert problems(where=", where: event.text > 5") == [
        "line 4, column 40: cannot compare text with a number; write number(…) of the text; this "
        "can only fail"]


@pytest.mark.parametrize(("step", "message"), [
    ("for_each: {in: \"'a, b'\", do: [{stop: done}]}", "for_each.in must be a list, not text"),
    ("for_each: {in: event.text, do: [{stop: done}]}", None),  # null is a list of nothing
    ("wait: {until: 5}", "wait.until must be an expression"),
    ("wait: {until: event.id}", "wait.until must be a time, not a number"),
    ("for_each: {in: contact.labels, do: [{stop: done}]}", None),
    ("for_each: {in: inputs.many, do: [{stop: done}]}", None),
    ("wait: {until: \"add_hours(now, 1)\"}", None)])
def test_expression_of_a_step_must_give_what_the_step_takes(step, message):
    text = TEXT.replace("set: {x: \"%s\"}", step) % ""
    found = [problem.message for problem in document.problems(text, library=LIBRARY)
             if problem.severity == "error"]

    assert len(found) == (message is not None)
    assert not found or found[0].startswith(message)


def test_draft_is_refused_and_what_was_published_before_goes_on():
    text = TEXT % ("", "${{ event.text + 1 }}")

    with pytest.raises(InvalidWorkflow):
        document.parse(text, library=LIBRARY)
    assert document.parse(text, library=LIBRARY, published=True).id == "kinds"


@pytest.mark.parametrize("text", EXAMPLES.values(), ids=EXAMPLES)
def test_worked_example_is_not_refused(text):
    assert not [problem for problem in document.problems(text, library=LIBRARY)
                if problem.code in ("kind", "cut")]


@pytest.mark.parametrize(("value", "told"), [
    ("order #12", "line 7, column 16: YAML reads this '#' and the rest of the line as a comment, "
                  "so the value ends with 'order'; put the whole value in quotes, or a space after "
                  "the '#' of a comment"),
    ("#partners", "line 7, column 10: YAML reads this '#' and the rest of the line as a comment, "
                  "so the value is empty; put the whole value in quotes, or a space after the '#' "
                  "of a comment"),
    ("to ${{ event.text }} #${{ event.id }}", "line 7, column 31"),
    ("order  # a comment", None), ("'order #12'", None), ("order#12", None), ("5 #five", None),
    ("order #", None), ("order #---", None), ("|-\n        order #12", None)])
def test_text_that_yaml_cuts_is_warned_of_with_the_way_out(value, told):
    text = TEXT.replace(" {x: \"%s\"}", "\n      x: %s") % ("", value)
    found = [problem for problem in document.problems(text, library=LIBRARY)
             if problem.code == "cut"]

    assert [problem.severity for problem in found] == ["warning"] * (told is not None)
    if told:
        assert str(found[0]).startswith(told)


@pytest.mark.parametrize(("lines", "is_told"), [
    ("wait: {event: message.text, timeout: 5m}  #wait", False),
    ("uses: custom.look #look\n    timeout: 2s #wait", False),
    ("uses: custom.look\n    retry: {max: 2, delay: 2s #wait\n      }", False),
    ("set: {x: 2s #wait\n      }", False), ("set: {text: 5m #promo\n      }", True),
    ("set: {x: order #wait\n      }", True), ("if: event.text #wait\n    set: {x: 1}", False),
    ("if: event.text == event.subject #wait\n    set: {x: 1}", True)])
def test_value_that_is_whole_before_the_sign_is_not_warned_of(lines, is_told):
    text = TEXT.replace("set: {x: \"%s\"}", lines) % ""
    found = document.problems(text, library=LIBRARY)

    assert any(problem.code == "cut" for problem in found) == is_told, found


@pytest.mark.parametrize(("lines", "told"), [
    ("x: {y: order #12\n}", ["line 7, column 20: YAML reads this '#' and the rest of the line as a "
                             "comment, so the value ends with 'order'"]),
    ("x: [order #12\n        , more]", ["line 7, column 17: YAML reads this '#'"]),
    ("x: see\n        order #12\n        and", None),
    ("x: see\n        order #12", ["line 8, column 15: YAML reads this '#' and the rest of the "
                                  "line as a comment, so the value ends with 'see order'"]),
    ("x: {y: 1, z #2: b\n}", ["line 7, column 19: YAML reads this '#' and the rest of the line as "
                              "a comment, so the key is 'z' and has no value here"]),
    ("x: {y: 1 # one\n}", [])])
def test_text_that_yaml_cuts_is_warned_of_in_brackets_and_over_lines(lines, told):
    text = TEXT.replace(" {x: \"%s\"}", "\n      %s") % ("", lines)
    found = document.problems(text, library=LIBRARY)

    if told is None:
        assert [problem.severity for problem in found] == ["error"]
    else:
        assert [str(problem)[:len(said)] for problem, said in zip(
            [one for one in found if one.code == "cut"], told, strict=True)] == told
