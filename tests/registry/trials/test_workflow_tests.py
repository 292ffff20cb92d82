"""The tests a workflow brings along: each failure with its line, and publishing that heeds them."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from omni.errors import InvalidWorkflow
from registry.models import Workflow, WorkflowVersion
from registry.trials import workflow_tests
from registry.versions import drafts, publishing
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db
BODY = """\
omni: 1
id: greeter
claim: reply
inputs:
  name: {type: text, default: you}
once: {key: contact.name}
trigger:
  - event: message.text
    where: event.direction == 'inbound' and not conversation.is_group
steps:
  - {id: open, if: "in_hours(now, '09:00-18:00', 'UTC')", set: {greeting: Hello}}
  - {id: agent, uses: custom.change, with: {say: "${{ event.text }}"}}
  - id: reply
    uses: route.reply
    with: {text: "${{ default(vars.greeting, 'Good night') }} ${{ inputs.name }}"}
"""
FIRST_LINE = BODY.count("\n") + 2  # of the first test


def with_tests(*tests):
    return BODY + "tests:\n" + "".join(f"  - {test}\n" for test in tests)


def results(*tests):
    return workflow_tests.run_tests(with_tests(*tests))


def messages(*tests):
    return [str(failure) for result in results(*tests) for failure in result.failures]


@pytest.mark.parametrize("test", [
    "{event: message.text, now: 2026-03-02T12:00:00Z, expect: {matched: true, state: done, "
    "path: [open, agent, reply], sends: [{to: '+351922000002', text: Hello you}]}}",
    "{event: message.text, now: 2026-03-02T22:00:00Z, inputs: {name: Ana}, expect: {path: "
    "[agent, 'steps[2]'], not_path: [open], sends: [{text: Good night Ana, kind: text}]}}",
    "{event: message.text__group, expect: {matched: false, reason: is_group, sends: [], path: [], "
    "not_path: [agent]}}",
    "{event: message.text, mocks: {agent: {n: [1, {a: 2}]}}, expect: {outputs: {agent: {n: [1, {}]"
    "}}, gates: {once: Ana}}}",
    "{event: message.text, mocks: {agent: {status: failed, reason: away}}, expect: {state: failed, "
    "reason: away, sends: []}}",
    "{event: {text: hi, contact: {name: Rui}}, expect: {gates: {once: Rui}}}",
])
def test_test_that_fits_passes(probe, test):
    assert messages(test) == []


@pytest.mark.parametrize(("expect", "message"), [
    ("{matched: false}", "expected matched false, got true"),
    ("{reason: own}", "expected a reason with 'own', got ''"),
    ("{state: ignored}", "expected the run to end as ignored, got done"),
    ("{path: [reply, agent]}", "expected agent to be done here; done were, in order: open, agent, "
     "reply"),
    ("{not_path: [open]}", "expected open not to be done, and it was"),
    ("{sends: [{text: Hi}]}", "expected 'Hi', got 'Hello you'"),
    ("{sends: [{text: Hello you, subject: x}]}", "expected subject: 'x', got none"),
    ("{sends: []}", "expected 0 sends, got 1; the next one is kind: text, to: '+351922000002', "
     "text: Hello you"),
    ("{sends: [{}, {}]}", "expected 2 sends, got 1"),
    ("{outputs: {agent: {said: hi}}}", "expected 'hi', got 'sample'"),
    ("{outputs: {agent: {said: [1]}}}", "expected - 1, got 'sample'"),
    ("{gates: {once: Rui}}", "expected 'Rui', got 'Ana'"),
    ("{gates: {debounce: 1}}", "expected a key of debounce, which this workflow has not, or did "
     "not ask"),
])
def test_failure_says_what_was_expected_and_what_came(probe, expect, message):
    [result] = results("{event: message.text, name: noon, now: 2026-03-02T12:00:00Z, mocks: "
                       f"{{agent: {{said: sample}}}}, expect: {expect}}}")

    assert [failure.message for failure in result.failures] == [f"noon: {message}"]
    assert {failure.code for failure in result.failures} == {"test_failed"}


def test_failure_stands_at_the_line_of_what_was_expected(probe):
    text = BODY + ("tests:\n  - name: all\n    event: message.text\n    expect:\n"
                   "      matched: true\n      sends:\n        - kind: text\n          text: Hi\n")

    [result] = workflow_tests.run_tests(text)

    assert result.line == FIRST_LINE
    assert [failure.line for failure in result.failures] == [FIRST_LINE + 6]


def test_event_that_does_not_match_says_why_nothing_was_done(probe):
    assert messages("{event: message.text__group, expect: {matched: true, state: done}}") == [
        f"line {FIRST_LINE}, column 52: test 1: expected matched true, got false "
        "(not conversation.is_group)",
        f"line {FIRST_LINE}, column 65: test 1: expected the run to end as done, got nothing "
        "(not conversation.is_group)"]


def test_stored_event_can_be_named(probe):
    event = make_event(make_instance(), direction="inbound")

    assert messages(f"{{event: {event.pk}, expect: {{matched: true}}}}") == []


def test_stored_event_that_is_gone_fails_its_test(probe):
    assert messages("{event: 77, expect: {matched: true}}") == [
        f"line {FIRST_LINE}, column 13: test 1: there is no event 77"]


def test_document_with_errors_is_not_tried():
    with pytest.raises(InvalidWorkflow):
        workflow_tests.run_tests(BODY + "tests: [{event: message.text}]\n")


def test_document_without_tests_has_none(probe):
    assert workflow_tests.run_tests(BODY) == []


RIGHT = "{event: message.text, expect: {matched: true}}"
WRONG = "{event: message.text, expect: {matched: false}}"


def _draft(probe, *tests):
    return drafts.save_draft(with_tests(*tests), actor="test")


def test_publishing_runs_the_tests(probe):
    assert publishing.publish(_draft(probe, RIGHT), actor="test").number == 1


def test_publishing_is_refused_when_a_test_fails(probe):
    with pytest.raises(InvalidWorkflow) as refused:
        publishing.publish(_draft(probe, RIGHT, WRONG), actor="test")

    assert [(item.line, item.code) for item in refused.value.problems] == [
        (FIRST_LINE + 1, "test_failed")]
    assert not WorkflowVersion.objects.exists()


def test_tests_can_be_skipped(probe):
    assert publishing.publish(_draft(probe, WRONG), actor="test", skip_tests=True).number == 1


def test_import_is_refused_as_a_whole_when_a_test_fails(probe):
    with pytest.raises(InvalidWorkflow):
        publishing.import_text(with_tests(RIGHT).replace("id: greeter", "id: other") + "---\n"
                               + with_tests(WRONG), actor="test")

    assert not Workflow.objects.exists()


def test_rolling_back_does_not_ask_the_tests_again(probe):
    event = make_event(make_instance(), direction="inbound")
    workflow = _draft(probe, f"{{event: {event.pk}, expect: {{matched: true}}}}")
    publishing.publish(workflow, actor="test")
    event.delete()

    assert publishing.roll_back(workflow, 1, actor="test").number == 1


def test_command_reports_files_folders_and_drafts(probe, tmp_path):
    (tmp_path / "right.yaml").write_text(with_tests(RIGHT))
    (tmp_path / "wrong.yaml").write_text(with_tests(RIGHT, WRONG))
    (tmp_path / "broken.yaml").write_text(BODY.replace("steps:", "stepz:"))
    _draft(probe, RIGHT)
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("workflows", "test", str(tmp_path), "greeter", stdout=out)

    lines = out.getvalue().splitlines()
    assert ended.value.code == 1 and lines[-1] == "tests 4, failed 2"
    assert f"{tmp_path}/wrong.yaml:{FIRST_LINE + 1}: test 2: FAILED" in lines
    assert f"greeter:{FIRST_LINE}: test 1: ok" in lines
    assert f"{tmp_path}/broken.yaml: not tried, the document has errors" in lines


def test_command_names_what_is_nothing():
    with pytest.raises(CommandError, match="'nobody' is no file") as refused:
        call_command("workflows", "test", "nobody")

    assert refused.value.returncode == 2
