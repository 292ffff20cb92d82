"""What people are told about steps of each kind."""

import pytest

from tests.registry.example_library import errors, workflow


@pytest.mark.parametrize(("steps", "expected"), [
    ("  - reply", ["line 6, column 5: a step is a mapping, like {uses: route.reply}"]),
    ("  - {name: x}", ["line 6, column 5: a step needs one of uses, set, branch, for_each, "
                       "parallel, wait, approval, decide, call, stop"]),
    ("  - {use: route.reply}",
     ["line 6, column 6: unknown key 'use' in step; did you mean 'uses'?"]),
    ("  - {stop: done, wait: 1s}", ["line 6, column 5: a step has exactly one kind; this one has "
                                    "'wait' and 'stop'; write one step for each"]),
    ("  - {stop: done, with: {}}",
     ["line 6, column 18: 'with' belongs to uses, not to stop"]),
    ("  - {id: X, stop: done, store: all, on_error: skip}", [
        "line 6, column 10: id must be 2 to 64 small letters, digits, - and _, beginning with a "
        "letter",
        "line 6, column 32: store: 'all' is not one of full, meta, none",
        "line 6, column 47: on_error: 'skip' is not one of fail, continue"]),
    ("  - {id: aa, stop: done}\n  - {id: aa, stop: done}",
     ["line 7, column 10: duplicate step id 'aa' (first at line 6)"]),
    ("  - {set: 5}", ["line 6, column 11: set must be a mapping of names to values, like {count: "
                      "1}"]),
    ("  - {branch: 5}", ["line 6, column 14: branch must be a list; begin each item with '- '"]),
    ("  - branch:\n      - {if: event.text}\n      - {do: []}\n      - {else: []}\n      - {}\n"
     "      - 5", ["line 7, column 9: an arm of branch has if and do, or else",
                   "line 8, column 9: an arm of branch has if and do, or else",
                   "line 9, column 10: else must be the last arm of branch",
                   "line 10, column 9: an arm of branch has if and do, or else",
                   "line 11, column 9: branch must be a mapping with if, do, else"]),
    ("  - {for_each: {do: [], limit: 0}}", [
        "line 6, column 16: for_each needs 'in'",
        "line 6, column 32: for_each.limit must be at least 1"]),
    ("  - {parallel: [1]}", ["line 6, column 16: parallel must be a mapping of names to steps, "
                             "like {first: [{stop: done}]}"]),
    ("  - {parallel: {a: 1}}", ["line 6, column 20: parallel.a must be a list; begin each item "
                                "with '- '"]),
    ("  - {wait: 5}", ["line 6, column 12: wait: '5' is not a duration; write a number and ms, s, "
                       "m, h or d, like 30s"]),
    ("  - {wait: {for: 1s, until: now}}",
     ["line 6, column 12: wait has exactly one of for, until, event"]),
    ("  - {wait: {event: message.txt, since: ever}}", [
        "line 6, column 20: unknown event 'message.txt'; did you mean 'message.text'?",
        "line 6, column 40: wait.since: 'ever' is not one of step, trigger"]),
    ("  - {approval: {ask: a, of: 5, on_timeout: accept}}", [
        'line 6, column 29: approval.of must be text or a list of texts; write "5" in quotes',
        "line 6, column 44: approval.on_timeout: 'accept' is not one of reject, approve, fail"]),
    ("  - {decide: {using: a, question: b, options: {one: []}, default: on, min_confidence: 2}}", [
        "line 6, column 67: decide.default: 'on' is not one of one; did you mean 'one'?",
        "line 6, column 87: decide.min_confidence must be at most 1"]),
    ("  - {decide: {using: a, question: b, options: {}}}",
     ["line 6, column 47: decide.options needs at least one name with its steps"]),
    ("  - {call: {workflow: Other, with: 5, mode: later}}", ["line 6, column 23: call.workflow "
                                                             "must be 2 to 64 small letters, "
                                                             "digits, - and _, beginning with a "
                                                             "letter",
                                                             "line 6, column 36: call.with must "
                                                             "be a mapping of names to values, "
                                                             "like {count: 1}",
                                                             "line 6, column 45: call.mode: "
                                                             "'later' is not one of wait, detach"]),
    ("  - {stop: {status: over, reson: x}}", [
        "line 6, column 21: stop.status: 'over' is not one of done, ignored, failed",
        "line 6, column 27: unknown key 'reson' in stop; did you mean 'reason'?"]),
    ("  - {if: item.x, stop: done}", ["line 6, column 10: 'item' can only be used inside the do "
                                      "of for_each"]),
    ("  - {if: error.code, stop: done}", ["line 6, column 10: 'error' can only be used inside "
                                          "on_error"]),
    ("".join("  - {stop: done}\n" for _ in range(201)),
     ["line 6, column 3: steps has 201 items; at most 200"]),
])
def test_steps(steps, expected):
    assert errors(workflow(steps)) == expected
