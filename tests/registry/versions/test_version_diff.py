"""What two texts of a workflow differ in, part by part."""

import pytest

from omni.yaml import profile
from registry.versions import version_diff

BASE = """\
omni: 1
id: greet
priority: 500
inputs:
  word: {type: text, default: hello}
trigger:
  - {event: message.text, where: event.text == 'hi'}
  - {event: message.image}
throttle: {limit: 5, per: 1h}
steps:
  - {id: first, set: {a: 1}}
  - set: {b: 2}
  - id: fork
    branch:
      - if: vars.a == 1
        do: [{id: inner, set: {c: 3}}]
      - else: [{stop: done}]
  - {id: last, set: {d: 4}}
"""


def changes(after, before=BASE):
    """{part: [(at, change)]} of the parts that differ."""
    found = version_diff.structural(profile.load(before).data, profile.load(after).data)
    return {part: [(item.at, item.change) for item in items]
            for part, items in found.items() if items}


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("omni: 1\n", "# a comment\nomni: 1\n", {}),
    ("priority: 500", "priority: 5", {"settings": [("priority", "changed")]}),
    ("priority: 500", "timeout: 1d", {"settings": [("priority", "removed"),
                                                   ("timeout", "added")]}),
    ("  word: {type: text, default: hello}", "  word: {type: text}",
     {"inputs": [("word", "changed")]}),
    ("'hi'", "'hey'", {"triggers": [("trigger[0]", "changed")]}),
    ("  - {event: message.image}\n", "", {"triggers": [("trigger[1]", "removed")]}),
    ("trigger:\n", "trigger:\n  - {event: poll.vote}\n", {"triggers": [("trigger[0]", "added")]}),
    ("throttle: {limit: 5, per: 1h}", "claim: reply",
     {"gates": [("throttle", "removed"), ("claim", "added")]}),
    ("{a: 1}", "{a: 2}", {"steps": [("first", "changed")]}),
    ("{c: 3}", "{c: 4}", {"steps": [("inner", "changed")]}),
    ("stop: done", "stop: failed", {"steps": [("steps[2].branch[1].else[0]", "changed")]}),
    ("vars.a == 1", "vars.a == 2", {"steps": [("fork", "changed")]}),
    ("  - {id: last, set: {d: 4}}\n", "", {"steps": [("last", "removed")]}),
    ("steps:\n", "steps:\n  - {id: zero, set: {z: 0}}\n", {"steps": [("zero", "added")]}),
    ("  - set: {b: 2}\n", "  - {id: named, set: {b: 2}}\n",
     {"steps": [("steps[1]", "removed"), ("named", "added")]}),
])
def test_changed_part_is_named_and_nothing_else(old, new, expected):
    assert old in BASE

    assert changes(BASE.replace(old, new)) == expected


def test_unnamed_step_that_only_slid_down_is_not_a_change():
    assert changes(BASE.replace("  - set: {b: 2}\n", "  - set: {n: 0}\n  - set: {b: 2}\n")) == {
        "steps": [("steps[1]", "added")]}


def test_steps_that_changed_places_are_moved():
    swapped = BASE.replace("  - {id: last, set: {d: 4}}\n", "").replace(
        "steps:\n", "steps:\n  - {id: last, set: {d: 4}}\n")

    assert changes(swapped) == {"steps": [("last", "moved")]}


def test_step_that_went_into_an_arm_is_moved():
    inside = BASE.replace("  - {id: last, set: {d: 4}}\n", "").replace(
        "{stop: done}", "{stop: done}, {id: last, set: {d: 4}}")

    assert changes(inside) == {"steps": [("last", "moved")]}


@pytest.mark.parametrize("step", [
    "{id: x, for_each: {in: vars.a, do: [{id: deep, set: {v: 1}}]}}",
    "{id: x, parallel: {left: [{id: deep, set: {v: 1}}], right: []}}",
    "{id: x, decide: {using: a, question: b, options: {yes: [{id: deep, set: {v: 1}}]}}}",
    "{id: x, set: {a: 1}, on_error: [{id: deep, set: {v: 1}}]}",
    "{id: x, branch: [{if: vars.a, do: [{id: deep, set: {v: 1}}]}]}",
])
def test_change_inside_a_step_is_of_the_inner_step_alone(step):
    text = BASE + f"  - {step}\n"

    assert changes(text.replace("{v: 1}", "{v: 2}"), text) == {"steps": [("deep", "changed")]}


@pytest.mark.parametrize("text", [
    "a: b\n", "steps: 5\n", "steps: [1, [2], {branch: 7}]\n", "trigger: message.text\n",
    "inputs: [1]\n", "steps: [{id: a, set: {x: 1}}, {id: a, set: {x: 2}}]\n", "on_error: fail\n",
    "steps: [{id: [1], parallel: {a: 1}}, {decide: {options: 3}}]\n"])
def test_document_with_errors_can_be_compared(text):
    assert changes(text, text) == {}
    assert changes(text) and changes(BASE, text)


def test_text_without_a_last_line_break_keeps_the_lines_apart():
    assert version_diff.textual("a\nb", "a\nc", names=("x", "y")).splitlines()[-2:] == ["-b", "+c"]


def test_same_texts_differ_in_nothing():
    assert version_diff.textual(BASE, BASE, names=("x", "y")) == ""


def test_texts_side_by_side_lose_no_line():
    rows = version_diff.beside("a\nb\nc\n", "a\nx\ny\nc\n")

    assert rows == [("a", "a", True), ("b", "x", False), (None, "y", False), ("c", "c", True)]
