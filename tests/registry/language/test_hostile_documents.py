"""Whatever a person or a model writes: problems, never an exception, and within two seconds."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni.yaml import profile
from registry.language import document
from tests.registry.example_library import EVERYTHING, EXAMPLES, LIBRARY

RIGHT = [EVERYTHING, *EXAMPLES.values()]
YAMLISH = st.lists(st.sampled_from([
    "\n", "\n  ", "\n    - ", " ", ": ", "- ", "{", "}", "[", "]", ", ", "'", '"', "|", ">", "#",
    " #", "!", "!x ", "&a ", "*a", "? ", "<<", "---\n", "...\n", "%", "@", "`", "\t", "\\", "\x00",
    "\ufeff", "é", "😀", "\u2028", "\ud800", "${{", "}}", "{{", "omni: 1", "id: aa", "trigger:",
    "steps:", "event: message.text", "if: ", "uses: ", "with: ", "event.text", "steps.aa.output",
    "null", "true", "5", "0.5", "12:30", " and ", " && ", "(", ")", "lower(", "matches(", "(a+)+",
    "item", "for_each:", "branch:", "wait: ", "1s", "stop: done", "**", "lambda x: x", "f'{x}'",
]), max_size=60).map("".join)


@st.composite
def spoiled(draw: Callable) -> str:
    """A right document with a few pieces cut out, doubled, moved or replaced."""
    text = draw(st.sampled_from(RIGHT))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 30)))
        piece = draw(st.one_of(YAMLISH, st.just(text[start:end] * 2), st.just(""),
                               st.text(max_size=5)))
        text = text[:start] + piece + text[end:]
    return text


def assert_told(text: str) -> None:
    lines = len([*text.splitlines(), ""])  # a line break at the end begins one more
    for problem in document.problems(text, library=LIBRARY):
        assert 1 <= problem.line <= lines and problem.column >= 1 and problem.message, problem


@given(YAMLISH | st.text(max_size=200))
def test_any_text_gives_problems_and_never_an_exception(text):
    assert_told(text)


@given(spoiled())
def test_a_spoiled_document_gives_problems_and_never_an_exception(text):
    assert_told(text)


@given(YAMLISH | st.text(max_size=200) | spoiled())
def test_what_has_no_error_can_be_parsed_and_what_has_one_cannot(text):
    wrong = [problem for problem in document.problems(text, library=LIBRARY)
             if problem.severity == "error"]

    if wrong:
        with pytest.raises(document.InvalidWorkflow) as caught:
            document.parse(text, library=LIBRARY)
        assert caught.value.problems == wrong
    else:
        assert document.parse(text, library=LIBRARY).id


HEAD = "omni: 1\nid: tried\ntrigger: [{manual: true}]\nsteps:\n"
SET = f"{HEAD}  - set:\n"
ARM = "      - if: event.text\n        do:\n"


def numbered(head: str, line: str, tail: str = "") -> str:
    """Lines with a number of their own, as many as a document may hold."""
    room = profile.MAX_BYTES - len(head) - len(tail)
    count = room // (len(line) + 4 * line.count("#"))
    return head + "".join(line.replace("#", str(number)) for number in range(count)) + tail


def repeated(head: str, unit: str, tail: str = "") -> str:
    room = profile.MAX_BYTES - len((head + tail).encode())
    return head + unit * (room // len(unit.encode())) + tail


HOSTILE = {
    "numbers": repeated("a: [", "1,", "1]"), "empty lists": repeated("a: [", "[],", "1]"),
    "empty mappings": repeated("a: [", "{},", "1]"), "list items": repeated("", "- a\n"),
    "lists in lists": repeated("", "- - - - - - - - - - a\n"), "brackets": repeated("", "["),
    "question marks": repeated("", "? "), "comments": repeated("", "#\n"),
    "spaces": repeated("a:", " "), "line breaks": repeated("a: b", "\n"),
    "one long text": repeated("a: ", "a"), "a text of lines": repeated("a: ", "a\n  "),
    "escapes": repeated('a: "', "\\n", '"'), "quotes": repeated("a: '", "''", "'"),
    "colons": repeated("a: ", ":"), "bangs": repeated("a: ", "!"), "tabs": repeated("", "\t"),
    "null bytes": repeated("", "\x00"), "letters of two bytes": repeated("", "é"),
    "a long key": repeated("omni: 1\n", "a", ": 1\n"),
    "a long action": repeated(f"{HEAD}  - {{uses: ", "route.", "}\n"),
    "doubled keys": repeated("", "a: 1\n"), "unknown keys": numbered("omni: 1\n", "step#: 1\n"),
    "anchors": numbered("a: [", "&a# 1,"), "aliases": numbered("a: [", "*a# ,"),
    "tags": repeated("a: [", "!a b,", "1]"), "braces": repeated("a: [", "{{a}}: b, ", "1]"),
    "unknown names": numbered(f"{SET}      a:\n", "        - ${{ evnt# }}\n"),
    "unknown names in a block": numbered(f"{SET}      a: |\n", "        ${{ evnt# }}\n"),
    "unknown inputs in a block": numbered(f"{SET}      a: |\n", "        ${{ inputs.a# }}\n"),
    "unknown inputs in quotes": numbered(f'{SET}      a: "', "${{ inputs.a# }}\\n", '"\n'),
    "unknown inputs among many": numbered(
        "omni: 1\nid: tried\ninputs:\n" + "".join(f"  a{n}: {{type: text}}\n" for n in range(2_000))
        + f"{SET[15:]}      a:\n", "        - ${{ inputs.b# }}\n"),
    "many names in each text": numbered(
        SET, "      v#: \"${{ " + " + ".join(f"evnt#x{n}.a" for n in range(60)) + " }}\"\n"),
    "long paths": numbered(SET, "      v#: \"${{ vars" + ".a" * 900 + " }}\"\n"),
    "parentheses": numbered(SET, "      v#: \"${{ " + "(" * 190 + " }}\"\n"),
    "minus signs": numbered(SET, "      v#: \"${{ " + "-" * 1_900 + "1 }}\"\n"),
    "patterns": numbered(SET, "      v#: \"${{ matches(event.text, '" + "(a?){1}" * 60
                         + "#') }}\"\n"),
    "open templates": repeated(f"{SET}      a: '", "${{ ", "'\n"),
    "unknown events": numbered("omni: 1\nid: tried\ntrigger: [{event: [", "mesage.t#, ",
                               "a]}]\nsteps: []\n"),
    "unknown zones": numbered(
        "omni: 1\nid: tried\nsteps: []\ntrigger:\n",
        "  - schedule: {cron: 0 9 * * 1, timezone: America/Sao_Paulo#}\n"),
    "wrong parameters": repeated(f"{HEAD}  - {{uses: route.webhook, with: {{url: u, tags: [", "a,",
                                 "a]}}\n"),
    "unknown options": numbered(f"{HEAD}  - decide:\n      using: a\n      question: b\n      "
                                "default: zz\n      options:\n", "        o#: 5\n"),
    "agents and sends": HEAD + "  - branch:\n" + "".join(
        ARM + "".join(f"          - {{id: s{arm}x{n}, uses: route.agent.default, with: {{prompt: "
                      "a}}\n" for n in range(150)) + ARM
        + "          - {uses: route.reply, with: {text: a}}\n" * 150 for arm in range(6)),
    "unknown steps": HEAD + "  - branch:\n" + "".join(
        ARM + "".join(f"          - {{id: s{arm}x{n}, if: steps.t{arm}y{n}.output, stop: done}}\n"
                      for n in range(190)) for arm in range(8)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_large_hostile_document_is_refused_soon(text):
    assert len(text.encode()) <= profile.MAX_BYTES
    start = time.process_time()

    document.problems(text, library=LIBRARY)

    assert time.process_time() - start < 2
