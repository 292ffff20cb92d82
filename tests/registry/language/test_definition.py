"""What a document becomes: every key of the language in its checked form."""

from types import SimpleNamespace

import pytest

from omni.errors import InvalidWorkflow
from omni.yaml import profile
from registry.language import definition as forms
from registry.language import document
from tests.registry.example_library import EVERYTHING, EXAMPLES, LIBRARY, workflow


def parse(text: str) -> forms.Definition:
    return document.parse(text, library=LIBRARY)


@pytest.fixture(scope="module")
def full() -> forms.Definition:
    return parse(EVERYTHING)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_worked_example_is_a_definition(name):
    assert parse(EXAMPLES[name]).id == name


def test_there_are_ten_worked_examples():
    assert len(EXAMPLES) == 10


def test_the_head_of_a_workflow(full):
    assert (full.id, full.name, full.description, full.labels, full.priority, full.claim) == (
        "everything", "Everything", "All keys at once.", ("a", "b"), 7, "reply")
    assert full.inputs == {"who": forms.Input(
        name="who", type="choice", default="x", required=True, about="Who.", choices=("x", "y"))}
    assert full.vars.render({"inputs": {"who": "x"}}) == {"count": 1, "hello": "x"}
    assert full.timeout == 172_800.0 and full.sends
    assert full.tests == ({"event": "message.text__plain", "expect": {"matched": True}},)


def test_triggers(full):
    by_event, by_clock, by_hand = full.triggers

    assert by_event.event == ("message.*", "poll.vote") and by_event.provider == ("discord",)
    assert by_event.instance == ("one", "two") and by_event.where.source == "event.text"
    assert by_event.matches_type("message.audio") and not by_event.matches_type("poll.closed")
    assert by_clock.schedule == forms.Schedule("0 9 * * 1", "America/Sao_Paulo",
                                              catch_up="all")
    assert by_hand.manual and not by_hand.matches_type("message.text")


def test_gates(full):
    assert (full.once.key.source, full.once.per) == ("contact.id", 604_800.0)
    assert (full.debounce.key.source, full.debounce.quiet, full.debounce.max,
            full.debounce.collect) == ("conversation.id", 6.0, 45.0, 20)
    assert (full.throttle.limit, full.throttle.per, full.throttle.mode) == (20, 3600.0, "drop")
    assert (full.concurrency.limit, full.concurrency.mode, full.concurrency.max_queue) == (
        2, "restart", 5)
    cancel = full.cancel_on[0]
    assert cancel.matches_type("message.text") and cancel.where.source == "event.from_me"
    assert cancel.match["conversation"].render({"conversation": {"id": 4}}) == 4


def test_retry(full):
    assert full.retry == forms.Retry(max=3, delay=1.0, backoff="fixed", cap=9.0, jitter=False,
                                     errors=("timeout", "network"))
    assert full.steps[0].retry == forms.Retry(max=1)


def test_what_every_step_has(full):
    step = full.steps[0]

    assert (step.path, step.id, step.kind, step.name) == ("steps[0]", "first", "uses", "Say")
    assert (step.condition.source, step.timeout, step.on_error, step.store) == (
        "vars.count", 5.0, "continue", "meta")
    assert step.body.action_id == "route.reply" and step.body.version == 1
    assert step.body.params.render({}) == {"text": "hi"}


def test_bodies(full):
    assert [step.kind for step in full.steps] == [
        "uses", "set", "branch", "for_each", "parallel", "wait", "wait", "approval", "decide",
        "call", "uses"]
    assert full.steps[1].body.values["count"].render({"vars": {"count": 1}}) == 2
    each = full.steps[3].body
    assert (each.items.source, each.limit, each.parallel, each.going.source) == (
        "event.attachments", 5, 2, "loop.index < 3")
    assert sorted(full.steps[4].body.arms) == ["left", "right"]
    assert full.steps[5].body.until.source == "add_hours(now, 1)"
    wait = full.steps[6].body
    assert wait.matches_type("message.text") and (wait.timeout, wait.since) == (3600.0, "trigger")
    approval = full.steps[7].body
    assert approval.show.render({"event": {"text": "t"}}) == {"a": "t"}
    assert (approval.of, approval.via, approval.on_timeout) == (("group:x",), ("admin",), "fail")
    decide = full.steps[8].body
    assert list(decide.options) == ["one", "two"] and decide.min_confidence == 0.5
    call = full.steps[9].body
    assert (call.workflow, call.params.render({}), call.mode) == ("other-one", {"a": 1}, "detach")


def test_arms_of_a_branch_and_where_their_steps_stand(full):
    first, second, otherwise = full.steps[2].body.arms

    assert (first.condition.source, second.condition.source, otherwise.condition) == (
        "event.text == 'a'", "event.text == 'b'", None)
    assert first.steps[0].path == "steps[2].branch[0].do[0]"
    assert otherwise.steps[0].path == "steps[2].branch[1].else[0]"


def test_paths_inside_the_other_kinds(full):
    assert full.steps[3].body.steps[0].path == "steps[3].for_each.do[0]"
    assert full.steps[4].body.arms["right"][0].path == "steps[4].parallel.right[0]"
    assert full.steps[8].body.options["two"][0].path == "steps[8].decide.options.two[0]"
    assert full.steps[10].on_error[0].path == "steps[10].on_error[0]"
    assert full.on_error[0].path == "on_error[0]"


def test_a_stop_in_short_and_in_full(full):
    assert full.steps[2].body.arms[0].steps[0].body == forms.StopBody("done")
    reason = full.on_error[0].body.reason
    assert reason.render({"error": {"message": "broken"}}) == "broken"


def test_defaults():
    definition = parse("omni: 1\nid: small\ntrigger: [{manual: true}]\nsteps: []\n")

    assert (definition.priority, definition.claim, definition.timeout, definition.sends) == (
        500, None, 2_592_000.0, False)
    assert definition.concurrency is None and definition.on_error == ()
    assert definition.vars.render({}) == {}


@pytest.mark.parametrize(("body", "sends"), [
    ("  - {uses: validate.safety, with: {text: a}}", False),
    ("  - branch: [{if: event.text, do: [{uses: route.reply, with: {text: a}}]}]", True),
    ("  - {stop: done, on_error: [{uses: route.reply, with: {text: a}}]}", True),
])
def test_a_workflow_sends_when_any_step_does(body, sends):
    assert parse(workflow(body)).sends is sends


def test_a_false_condition_written_as_a_word():
    definition = parse(workflow("  - {if: false, stop: done}"))

    assert definition.steps[0].condition.evaluate({}) is False


def test_form_and_order_do_not_change_the_canonical_text():
    one = parse("omni: 1\nid: same\ntrigger: [{manual: true}]\nsteps: [{stop: done}]\n")
    other = parse("steps:\n  - stop: 'done'\ntrigger:\n  - manual: true\nid: same\nomni: 1\n")

    assert document.canonical(one) == document.canonical(other) == (
        '{"id":"same","omni":1,"steps":[{"stop":"done"}],"trigger":[{"manual":true}]}')
    assert document.digest(one) == document.digest(other.data)
    assert len(document.digest(one)) == 64


@pytest.mark.parametrize("text", [EVERYTHING, *EXAMPLES.values()])
def test_a_definition_survives_being_written_and_read_again(text):
    definition = parse(text)

    assert parse(profile.dump(document.plain(definition))) == definition


def test_parsing_raises_every_error_but_no_warning():
    text = workflow("  - {uses: route.rply}\n  - {stop: dome}\n  - {if: 1 < 2, stop: done}")

    with pytest.raises(InvalidWorkflow) as caught:
        parse(text)

    assert [problem.code for problem in caught.value.problems] == ["unknown_action", "choice"]


@pytest.mark.parametrize(("text", "expected"), [
    ("a-b", True), ("a1_", True), ("a", False), ("A-b", False), ("1ab", False), ("a" * 65, False)])
def test_ids_are_slugs(text, expected):
    assert document.is_slug(text) is expected


def test_the_library_of_the_process_is_the_default(monkeypatch):
    small = SimpleNamespace(get=LIBRARY.get, nearest=LIBRARY.nearest)

    assert document.parse(EXAMPLES["ignore-self"]) == parse(EXAMPLES["ignore-self"])
    assert document.problems(EXAMPLES["forwarded-audio"], library=small) == []
