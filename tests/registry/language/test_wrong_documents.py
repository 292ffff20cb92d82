"""Wrong documents, each with everything people are told about it.

`wrong/*.txt` hold them: a title, the document as written, then every message in order. A document
that begins with a list item is the steps of a small workflow (see `language.workflow`); its first
line is line 6.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.language import document
from tests.registry.example_library import LIBRARY, workflow

_MESSAGE = "--> "


def _cases() -> Iterator[tuple[str, str, list[str]]]:
    for path in sorted((Path(__file__).parents[1] / "wrong").glob("*.txt")):
        for part in re.split(r"^=== ", path.read_text(), flags=re.MULTILINE)[1:]:
            title, *lines = part.splitlines()
            text = "".join(f"{line}\n" for line in lines if not line.startswith(_MESSAGE))
            expected = [line.removeprefix(_MESSAGE) for line in lines if line.startswith(_MESSAGE)]
            yield f"{path.stem}: {title}", text, expected


CASES = list(_cases())


def messages(text: str) -> list[str]:
    """Errors as people read them; warnings say that they are one."""
    found = document.problems(text, library=LIBRARY)
    return [str(problem) if problem.severity == "error" else f"warning: {problem}"
            for problem in found]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])
def test_a_wrong_document_is_told_everything_at_once(text, expected):
    steps = text.startswith("  - ")

    assert messages(workflow(text) if steps else text) == expected


def test_every_wrong_document_has_a_name_and_messages_of_its_own():
    titles = [title for title, _, _ in CASES]

    assert len(titles) == len(set(titles)) >= 70
    assert [title for title, _, expected in CASES if not expected] == []


HEAD = "omni: 1\nid: tried\ntrigger: [{manual: true}]\n"
MANY = "too many problems to go on; mend these and check again"


@pytest.mark.parametrize(("text", "expected"), [
    (workflow("  - {stop: done}\n" * 201),
     ["line 6, column 3: steps has 201 items; at most 200"]),
    (f"omni: 1\nid: tried\ntrigger: [{'{manual: true},' * 21}]\nsteps: []\n",
     ["line 3, column 10: trigger has 21 items; at most 20"]),
    (workflow("  - for_each:\n      in: event.attachments\n      do:\n"
              + "        - {stop: done}\n" * 201),
     ["line 9, column 9: for_each.do has 201 items; at most 200"]),
    (workflow("  - {if: \"event.text == '" + "x" * 2_000 + "'\", stop: done}"),
     ["line 6, column 11: the expression is longer than 2000 characters"]),
    (workflow("  - {if: " + " + ".join(["event.id"] * 101) + ", stop: done}"),
     ["line 6, column 10: the expression has more than 200 parts"]),
    (workflow("  - {if: " + "(" * 300 + "1" + ")" * 300 + ", stop: done}"),
     ["line 6, column 10: the expression is nested too deeply or cannot be read"]),
    (workflow("  - {if: \"matches(event.text, '" + "a" * 501 + "')\", stop: done}"),
     ["line 6, column 31: matches: the pattern is longer than 500 characters"]),
    (HEAD + "steps: " + "[" * 30 + "]" * 30,
     ["line 4, column 31: nested deeper than 24 levels; move inner steps to a workflow of their "
      "own and call it"]),
    (HEAD + "name: '" + "x" * 205_000 + "'\nsteps: []\n",
     ["line 1, column 1: the document is larger than 200 KB"]),
    (HEAD + "labels: [" + "a," * 30_000 + "]\nsteps: []\n",
     ["line 4, column 39982: the document has more than 20000 parts; split the workflow with "
      "call"]),
    (HEAD + "name: a\x00b\nsteps: []\n",
     ["line 4, column 8: this character is not allowed in YAML; remove it"]),
    (workflow("  - {stop: done, timeout: soon}\n" * 150 + "  - {stop: over}\n" * 50),
     [f"{kind}line {line}, column {column}: timeout{text}" for line in range(6, 106)
      for kind, column, text in (
          ("warning: ", 18, " means nothing beside stop; remove it"),
          ("", 27, ": 'soon' is not a duration; write a number and ms, s, m, h or d, like 30s"))]
     + [f"line 105, column 27: {MANY}"]),
    ("a: 1\n" * 1_000,
     [f"line {line}, column 1: duplicate key 'a' (first at line 1)" for line in range(2, 202)]
     + [f"line 201, column 1: {MANY}"]),
    (workflow("  - {uses: " + "x" * 200 + "}"),
     [f"line 6, column 12: unknown action '{'x' * 77}...'; actions are listed at "
      "/api/v1/actions/"]),
])
def test_a_document_that_is_too_much_is_told_so(text, expected):
    assert messages(text) == expected


@pytest.mark.parametrize("text", ["omni: 1", "- a", "\x00", "${{ }}", "a: *b"])
def test_a_wrong_document_has_no_definition(text):
    with pytest.raises(document.InvalidWorkflow, match=r"^line \d+, column \d+: "):
        document.parse(text, library=LIBRARY)
