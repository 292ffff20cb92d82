"""Takes over what came into the `expect` of a test, in the text as it is written."""

import json
from typing import Any

import yaml

from registry.trials import workflow_tests
from registry.trials.workflow_tests import TestResult


def take(text: str, number: int, result: TestResult) -> str:
    """The document in which test `number` (from 0) expects what came.

    Only parts that failed are written anew, as one line of flow style; all else stays as written,
    and so do parts that nothing can be taken for: `not_path`, and all of a test whose event did
    not match although it says more than that.
    """
    edits = [(*_place(text, number, name), json.dumps(got, ensure_ascii=False))
             for name, got in _taken(result).items()]
    for start, end, written in sorted(edits, reverse=True):
        tail = text[start:end][len(text[start:end].rstrip()):]  # a block ends where the next begins
        text = f"{text[:start]}{written}{tail}{text[end:]}"
    return text


def can_take(result: TestResult) -> bool:
    return bool(_taken(result))


def _taken(result: TestResult) -> dict[str, Any]:
    """{part of `expect`: what came} of the parts that failed."""
    found: dict[str, Any] = {}
    if result.trial is None:
        return found
    for name, wanted in result.expect.items():
        got, is_same = workflow_tests.came(name, wanted, result.trial)
        is_there = result.trial.matched or name in ("matched", "reason")
        if not is_same and is_there and name != "not_path" and not _is_open(got):
            found[name] = got
    return found


def _is_open(got: Any) -> bool:
    """Whether something that was expected is not there at all, which no value says."""
    return isinstance(got, dict) and None in got.values()


def _place(text: str, number: int, name: str) -> tuple[int, int]:
    """Where the value of one part of a test's `expect` begins and ends, in characters."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in ("tests", number, "expect", name):
        node = node.value[key] if isinstance(key, int) else next(
            value for word, value in node.value if word.value == key)
    return node.start_mark.index, node.end_mark.index
