"""What people are told about a wrong workflow: every problem at once, each with its place."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni.yaml import profile
from registry.language import document
from tests.benchmarks.validation import large_workflow
from tests.registry.example_library import ACTIONS, EXAMPLES, LIBRARY, errors, workflow

AUDIO = """\
# forwarded audio -> transcribe -> agent -> safety validator -> reply
omni: 1
id: forwarded-audio
priority: 300
claim: reply
trigger:
  - event: message.audio
    where: event.direction == 'inbound' and event.is_forwarded
steps:
  - id: stt
    uses: transform.stt.forwarded
    with: {media: "${{ event.media }}"}
    timeout: 3m
    retry: {max: 4, delay: 5s, backoff: exponential, cap: 2m, jitter: true}
    on_error:
      - uses: route.reply
        with: {text: "I could not hear that audio. Could you type it?"}
      - stop: failed
  - uses: persist.derive
    with: {kind: transcript, text: "${{ steps.stt.output.text }}", relates_to: "${{ event.id }}"}
  - id: agent
    uses: route.agent.default
    with: {prompt: "${{ steps.stt.output.text }}"}
  - id: safe
    uses: validate.safety
    with: {text: "${{ steps.agent.output.text }}"}
  - branch:
      - if: steps.safe.output.ok
        do: [{uses: route.reply, with: {text: "${{ steps.agent.output.text }}", quote: true}}]
      - else: [{uses: route.escalate.human, with: {queue: review}}]
"""
BURST = """\
# bursts are collected, one run per conversation at a time
omni: 1
id: reply-direct-text
priority: 900
claim: reply
inputs:
  agent: {type: agent, default: default}
trigger:
  - event: message.text
    where: event.direction == 'inbound' and not conversation.is_group
debounce: {key: conversation.id, quiet: 6s, max: 45s, collect: 20}
concurrency: {key: conversation.id, limit: 1, mode: queue}
steps:
  - {uses: route.reply, with: {text: hi}}
"""


def problems(text: str, **options) -> list[str]:
    return [str(problem) for problem in document.problems(text, library=LIBRARY, **options)]


@pytest.mark.parametrize(("text", "right", "wrong", "message"), [
    (AUDIO, "transform.stt.forwarded", "transform.sst",
     "line 11, column 11: unknown action 'transform.sst'; did you mean 'transform.stt.direct'?"),
    (AUDIO, "timeout: 3m", "timout: 3m",
     "line 13, column 5: unknown key 'timout' in step; did you mean 'timeout'?"),
    (AUDIO, "if: steps.safe", "if: steps.saef",
     "line 28, column 19: unknown step 'saef'; did you mean 'safe'?"),
    (AUDIO, 'prompt: "${{ steps.stt.', 'prompt: "${{ steps.safe.',
     "line 23, column 31: step 'safe' runs after this one"),
    (AUDIO, "'inbound' and", "'inbound' &&",
     "line 8, column 41: syntax error; use 'and' instead of '&&' in "
     "`event.direction == 'inbound' && ...`"),
    (AUDIO, "where: event.direction", "where: !event.from_me and event.direction",
     "line 8, column 12: YAML tag '!event.from_me' is not allowed; write `not x` instead of `!x`"),
    (AUDIO, 'media: "${{ event.media }}"', "media: {{ event.media }}",
     "line 12, column 20: unquoted {{ … }} is a YAML mapping; write ${{ … }}"),
    (AUDIO, "claim: reply", "priority: 5",
     "line 5, column 1: duplicate key 'priority' (first at line 4)"),
    (AUDIO, "message.audio", "message.adio",
     "line 7, column 12: unknown event 'message.adio'; did you mean 'message.audio'?"),
    (BURST, "mode: queue", "mode: queued",
     "line 12, column 53: concurrency.mode: 'queued' is not one of queue, skip, restart, parallel; "
     "did you mean 'queue'?"),
])
def test_one_mistake_gives_one_message_with_its_place(text, right, wrong, message):
    assert right in text

    assert problems(text.replace(right, wrong, 1)) == [message]


@pytest.mark.parametrize("text", [AUDIO, BURST, EXAMPLES["forwarded-audio"],
                                  EXAMPLES["partner-exception"]])
def test_a_right_document_has_no_problems(text):
    assert problems(text) == []


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_no_worked_example_has_an_error(name):
    assert errors(EXAMPLES[name]) == []


def test_all_problems_come_at_once_and_in_order():
    text = (AUDIO.replace("transform.stt.forwarded", "transform.sst")
            .replace("timeout: 3m", "timout: 3m").replace("steps.safe", "steps.saef")
            .replace("message.audio", "message.adio").replace("priority: 300", "priority: high")
            .replace("stop: failed", "stop: faild"))

    assert problems(text) == [
        "line 4, column 11: priority must be a whole number",
        "line 7, column 12: unknown event 'message.adio'; did you mean 'message.audio'?",
        "line 11, column 11: unknown action 'transform.sst'; did you mean 'transform.stt.direct'?",
        "line 13, column 5: unknown key 'timout' in step; did you mean 'timeout'?",
        "line 18, column 15: stop: 'faild' is not one of done, ignored, failed; did you mean "
        "'failed'?",
        "line 28, column 19: unknown step 'saef'; did you mean 'safe'?",
    ]


def test_a_problem_carries_code_and_suggestion():
    problem = document.problems(AUDIO.replace("timeout: 3m", "timout: 3m"), library=LIBRARY)[0]

    assert (problem.code, problem.suggestion, problem.severity) == (
        "unknown_key", "timeout", "error")


def test_a_place_inside_a_block_of_text_is_exact():
    text = workflow("  - if: |\n      event.text\n      and event.sorce\n    stop: done\n")

    assert errors(text) == [
        "line 8, column 17: unknown field 'event.sorce'; did you mean 'event.source'?"]


@pytest.mark.parametrize(("steps", "expected"), [
    ("  - {id: aa, if: steps.aa.output, stop: done}",
     ["line 6, column 24: step 'aa' is this one; it has no output yet"]),
    ("  - {if: steps.bb.output, stop: done}\n  - {id: bb, wait: 1s}",
     ["line 6, column 16: step 'bb' runs after this one"]),
    ("  - parallel:\n      one: [{id: aa, wait: 1s}]\n"
     "      two: [{if: steps.aa.status, stop: done}]\n  - {if: steps.aa.status, stop: done}",
     ["line 8, column 24: step 'aa' runs in another parallel arm"]),
    ("  - id: aa\n    for_each: {in: event.attachments, do: [{if: steps.aa.output, stop: done}]}",
     ["line 7, column 55: step 'aa' has not ended here"]),
    ("  - {if: steps.x, stop: done}", ["line 6, column 16: unknown step 'x'; no step has an id"]),
    ("  - {id: my-step, wait: 1s}\n  - {if: steps.my-step.output.ok, stop: done}",
     ["line 7, column 10: a name with '-' needs brackets; write steps['my-step']"]),
    ("  - {if: inputs.agnt, stop: done}",
     ["line 6, column 17: unknown input 'agnt'; declare it under inputs"]),
])
def test_references_to_what_is_not_there(steps, expected):
    assert errors(workflow(steps)) == expected


@pytest.mark.parametrize("steps", [
    "  - {id: my-step, wait: 1s}\n  - {if: \"steps['my-step'].status == 'done'\", stop: done}",
    "  - id: aa\n    wait: 1s\n"
    "    on_error: [{if: steps.aa.error.code and error.message, stop: done}]",
    "  - id: aa\n    decide: {using: x, question: y, options: {a: [{if: steps.aa.output.choice, "
    "stop: done}]}}",
    "  - branch: [{if: event.text, do: [{id: aa, wait: 1s}]}]\n"
    "  - {if: steps.aa.output, stop: done}",
    "  - for_each: {in: event.attachments, do: [{id: aa, wait: 1s}, "
    "{if: steps.aa.output and item.x and loop.index, stop: done}]}",
    "  - parallel: {parallel: [{id: aa, wait: 1s}, {if: steps.aa.status, stop: done}]}",
    "  - {if: run.id and vars.x and now, stop: done}",
])
def test_references_to_what_is_there(steps):
    assert errors(workflow(steps)) == []


def test_the_last_handler_may_read_every_step():
    text = workflow("  - {id: aa, wait: 1s}",
                    head="on_error: [{if: error.code and steps.aa.status, stop: failed}]\n")

    assert errors(text) == []


def test_an_input_is_known_by_its_nearest_name():
    head = "inputs: {agent: {type: agent}}\n"

    assert errors(workflow("  - {if: inputs.agnt == inputs.agent, stop: done}", head=head)) == [
        "line 7, column 17: unknown input 'agnt'; did you mean 'agent'?"]


def test_what_this_version_cannot_execute_is_an_error_only_when_asked():
    text = workflow("  - {for_each: {in: event.attachments, do: [{wait: 1s}, {stop: done}]}}",
                    head="debounce: {quiet: 1s}\n")

    found = document.problems(text, library=LIBRARY, executable=frozenset({"stop", "wait"}),
                              gates=frozenset({"claim"}))

    assert [(str(problem), problem.code) for problem in found] == [
        ("line 4, column 1: gate 'debounce' is not executable by this version", "not_executable"),
        ("line 7, column 6: step kind 'for_each' is not executable by this version",
         "not_executable")]
    assert problems(text) == []


@pytest.mark.parametrize(("text", "expected"), [
    (workflow("  - {uses: route.reply, with: {text: a}}").replace("claim: reply\n", ""),
     ["line 3, column 1: this workflow sends without a claim: another one may answer the same "
      "event; add 'claim: reply'"]),
    (workflow("  - {id: bot, uses: route.agent.default, with: {prompt: a}}\n"
              "  - {uses: route.reply, with: {text: 'x ${{ steps.bot.output.text }}'}}"),
     ["line 7, column 12: sends what agent step 'bot' wrote with no validate.* step between"]),
    (workflow("  - {if: '''yes''', stop: done}"),
     ["line 6, column 10: if is always the same: it reads nothing"]),
    (workflow("  - {id: bot, uses: route.agent.default, with: {prompt: a}}\n"
              "  - {id: ok, uses: validate.safety, with: {text: a}}\n"
              "  - {uses: route.reply, with: {text: '${{ steps.bot.output.text }}'}}"), []),
    (workflow("  - {id: bot, uses: route.agent.default, with: {prompt: a}}\n"
              "  - {id: ok, approval: {ask: a, of: b}}\n"
              "  - {uses: route.reply, with: {text: '${{ steps.bot.output.text }}'}}"), []),
    (workflow("  - {id: bot, uses: route.agent.default, with: {prompt: a}}\n"
              "  - {uses: route.reply, with: {text: '${{ steps.bot.output.text }}'}}"), []),
    (workflow("  - {id: bot, uses: route.agent.default, with: {prompt: a}}\n"
              "  - {uses: route.send, with: {to: a, text: '${{ steps.bot.output.text }}'}}"),
     ["line 7, column 12: sends what agent step 'bot' wrote with no validate.* step between"]),
    (EXAMPLES["broadcast"], []),
])
def test_habits_that_are_probably_not_meant_are_warnings(text, expected):
    found = document.problems(text, library=LIBRARY)

    assert [str(problem) for problem in found] == expected
    assert all(problem.severity == "warning" for problem in found)
    assert document.parse(text, library=LIBRARY)


@pytest.mark.parametrize(("trigger", "step", "warned"), [
    ("event: message.text", "route.reply", True),
    ("event: message.*", "route.reply", True),
    ("event: '*'", "route.reply", True),
    ("event: interaction.button", "route.reply", True),
    ("event: [system.task.created, message.image]", "route.reply", True),
    ("event: message.text, where: event.direction == 'inbound'", "route.reply", True),
    ("event: message.text, where: event.direction == 'outbound'", "route.reply", False),
    ("event: message.text, where: event.from_me and event.text", "route.reply", False),
    ("event: poll.vote", "route.reply", False),
    ("event: message.status.*", "route.reply", False),
    ("event: system.*", "route.reply", False),
    ("event: workflow.failed", "route.reply", False),
    ("event: message.text", "meta.notify.slack", False),
    ("event: workflow.failed", "meta.notify.slack", False),
])
def test_claim_is_missed_only_where_others_may_answer_the_same(trigger, step, warned):
    more = ", channel: a" if step.startswith("meta") else ""
    text = (f"omni: 1\nid: tried\ntrigger: [{{{trigger}}}]\n"
            f"steps: [{{uses: {step}, with: {{text: a{more}}}}}]\n")

    found = document.problems(text)

    assert [problem.code for problem in found] == (["no_claim"] if warned else [])


def test_a_thousand_steps_are_checked_in_reasonable_time():
    text = large_workflow(1)
    start = time.process_time()

    assert problems(text) == []

    assert time.process_time() - start < 3  # 0.4 s on an idle machine


SCRAPS = st.sampled_from([
    None, True, 5, 0.5, "", "x", "${{ event.text }}", "${{", "event.text", [], {}, [None], "1s",
    {"if": "event.text"}, [{"uses": "route.reply"}], {"event": "message.text"}, [[]], "done",
    [{"stop": "done"}], {"a": [{"stop": 1}]}, "route.reply", {"key": "event.text"}])
KEYS = st.sampled_from([
    "omni", "id", "trigger", "steps", "on_error", "inputs", "vars", "once", "debounce", "retry",
    "branch", "uses", "with", "set", "stop", "wait", "for_each", "parallel", "decide", "approval",
    "call", "do", "else", "if", "in", "options", "event", "match", "where", "tests", "cancel_on"])


@given(st.recursive(SCRAPS, lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20),
       st.dictionaries(KEYS, SCRAPS, max_size=6))
def test_no_document_raises_anything(steps, head):
    text = profile.dump({"omni": 1, "id": "tried", "trigger": [{"manual": True}], **head,
                        "steps": [steps, {"branch": [steps]}, {"for_each": steps}]})

    assert all(problem.line and problem.message
               for problem in document.problems(text, library=LIBRARY))


def test_every_action_of_the_small_library_is_used_by_an_example():
    used = " ".join(EXAMPLES.values())

    assert [id for id in ACTIONS if id not in used] == ["route.webhook"]
