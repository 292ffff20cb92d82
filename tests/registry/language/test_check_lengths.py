"""What no column could hold is refused when a workflow is published, not found out in a run."""

import pytest

from registry.expressions import names
from registry.language import document

HEAD = "omni: 1\nid: tried\ntrigger: [{event: message.text}]\n"


def told(text):
    return [problem.message for problem in document.problems(HEAD + text)
            if problem.severity == "error"]


def nested(levels, *, name="x" * 60):
    steps = "{stop: done}"
    for _ in range(levels):
        steps = f"{{parallel: {{{name}: [{steps}]}}}}"
    return f"steps: [{steps}]\n"


def loops(levels, limit):
    steps = "{stop: done}"
    for _ in range(levels):
        steps = f"{{for_each: {{in: '[1]', limit: {limit}, do: [{steps}]}}}}"
    return f"steps: [{steps}]\n"


@pytest.mark.parametrize("text", [nested(2), nested(3), loops(5, 100_000)])
def test_place_that_fits_its_column_is_taken(text):
    assert told(text) == []


@pytest.mark.parametrize(("text", "said"), [
    (nested(4), "the place of this step has"), (nested(7), "the place of this step has"),
    (nested(1, name="y" * 300), "the place of this step has"),
    ("on_error: [{parallel: {" + "z" * 300 + ": [{stop: done}]}}]\nsteps: [{stop: done}]\n",
     "the place of this step has")])
def test_place_too_long_for_its_column_is_told_once(text, said):
    [message] = told(text)

    assert message.startswith(said)


def test_version_that_was_published_before_still_runs():
    assert document.parse(HEAD + nested(4), published=True).steps


@pytest.mark.parametrize(("text", "said"), [
    ("concurrency: {limit: 32768}", "concurrency.limit must be at most 32767"),
    ("concurrency: {limit: 1, max_queue: 2147483648}",
     "concurrency.max_queue must be at most 2147483647"),
    ("throttle: {limit: 3000000000, per: 1m}", "throttle.limit must be at most 2147483647"),
    ("debounce: {quiet: 5s, collect: 201}", "debounce.collect must be at most 200"),
    ("priority: 1000", "priority must be at most 999"),
    ("retry: {max: 21}", "retry.max must be at most 20"),
    ("timeout: 3651d", "workflow.timeout: '3651d' is longer than ten years"),
    ("name: " + "n" * 121, "workflow.name must have at most 120 characters"),
    ("claim: c" + "c" * 64, "workflow.claim must be 2 to 64 small letters, digits, - and _, "
     "beginning with a letter"),
    ("cancel_on: [{event: message.text, match: {"
     + ", ".join(f"{name}: 1" for name in sorted(names.COLUMNS)) + "}}]",
     "the names of match have more than 255 characters together; compare the others in where"),
])
def test_number_or_text_no_column_holds_is_refused(text, said):
    assert said.replace("workflow.", "") in [
        message.replace("workflow.", "").replace("cancel_on.", "")
        for message in told(f"{text}\nsteps: [{{stop: done}}]\n")]
