"""Dry runs: what would happen, with every value on the way, and nothing stored or sent."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.base import Outcome, Output, done, stop
from connections.envelope import OutboundMessage
from events.models import Event, OutboxMessage
from omni.errors import InvalidInput, InvalidWorkflow, Unavailable
from registry.engine.route import matching
from registry.language import fixtures
from registry.models import Workflow
from registry.trials import staging, stubs, trial
from tests.factories import NOON, make_conversation, make_event, make_instance, make_workflow
from tests.registry.example_library import EVERYTHING, EXAMPLES, LIBRARY
from tests.registry.runs import work

pytestmark = pytest.mark.django_db


def tried(steps, *, head="", example="message.text", trigger="{event: message.text}", **more):
    text = (f"omni: 1\nid: tried\ntrigger: [{trigger}]\n{head}\nsteps:\n"
            + "\n".join(f"  {line}" for line in steps.strip("\n").splitlines()) + "\n")
    event = example if isinstance(example, Event) else staging.build(example, now=NOON)
    return trial.try_out(text, event, now=NOON, **more)


def taken(found):
    return [(entry["id"] or entry["path"], entry["status"], entry["source"])
            for entry in found.path]


def counts():
    """Rows of every table."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT count(*) FROM "{model._meta.db_table}"')
            found[model._meta.db_table] = cursor.fetchone()[0]
    return found


def test_event_that_does_not_match_is_not_tried_further(probe):
    found = tried("- {uses: custom.look}",
                  trigger="{event: message.text, where: event.text and event.from_me}")

    assert (found.matched, found.reason, found.state) == (False, "event.from_me", "")
    assert found.path == [] and probe.calls == []
    assert [(one["line"], one["column"], one["source"], one["value"])
            for one in found.expressions] == [
        (3, 40, "event.text and event.from_me", False)]


@pytest.mark.parametrize(("example", "reason"), [
    ("message.audio", "no trigger takes message.audio"),
    ({"fixture": "message.text", "source": "history"}, "history events wake no workflow"),
    ({"fixture": "message.text", "hop": matching.HOP_LIMIT}, "the chain of automatic messages "
     "reached 5")])
def test_verdict_is_that_of_matching(example, reason):
    assert tried("- {stop: done}", example=example).reason == reason


def test_steps_of_an_event_that_does_not_match_are_done_when_asked(probe):
    found = tried("- {uses: custom.look}", example="message.audio", anyway=True)

    assert not found.matched and found.state == "done" and len(probe.calls) == 1


def test_reads_are_executed_in_a_dry_run(probe):
    found = tried("- {id: look, uses: custom.look, with: {say: '${{ event.text }}!'}}")

    assert taken(found) == [("look", "done", "executed")]
    assert found.path[0]["input"] == {"say": "hello!"} and probe.calls == ["hello!"]
    assert probe.contexts[0].dry_run and probe.contexts[0].run_id is None


def test_guard_that_does_not_pass_ends_as_ignored(probe):
    probe.answers = [stop("closed")]

    found = tried("- {uses: custom.look}\n- {uses: custom.look}")

    assert (found.state, found.end, len(probe.calls)) == ("ignored", "closed", 1)


def test_writes_are_taken_from_the_pin(probe):
    found = tried("- {id: change, uses: custom.change}\n- {set: {n: '${{ "
                  "steps.change.output.n }}'}}", pins={"change": {"n": 7}})

    assert taken(found)[0] == ("change", "done", "pin") and probe.calls == []
    assert found.output == {"n": 7}


def test_answers_count_before_pins(probe):
    found = tried("- {id: change, uses: custom.change}", pins={"change": {"n": 7}},
                  answers={"change": {"n": 8}})

    assert found.outputs() == {"change": {"n": 8}}


def test_pin_can_be_a_failure_that_the_workflow_handles(probe):
    found = tried("""
- id: change
  uses: custom.change
  retry: {max: 1, delay: 1h}
  on_error: [{set: {why: "${{ error.message }} (${{ error.code }})"}}]
""", pins={"change": {"status": "failed", "code": "network", "reason": "no answer"}})

    assert found.output == {"why": "no answer (network)"}
    assert [entry["attempt"] for entry in found.path] == [1, 2, 1]


def test_writes_without_a_pin_are_taken_from_the_past(probe, start):
    probe.answers = [done(n=1)]
    run = start("- {id: change, uses: custom.change}")
    work()
    seen = len(probe.calls)
    text = run.version.text

    found = trial.try_out(text, run.event, past=stubs.past_of(run.workflow.slug))

    assert taken(found) == [("change", "done", "past")] and len(probe.calls) == seen
    assert found.outputs() == {"change": {"n": 1}}


def test_past_is_of_the_same_place_and_action(probe, start):
    run = start("- {id: change, uses: custom.change}")
    work()
    text = run.version.text.replace("{id: change, uses", "{set: {a: 1}}\n  - {id: change, uses")

    found = trial.try_out(text, run.event, past=stubs.past_of(run.workflow.slug))

    assert taken(found)[1] == ("change", "done", "sample")


class Said(Output):
    text: str
    title: str | None = None
    count: int
    kind: str = "plain"


def test_sample_is_made_from_the_output_model():
    assert stubs.sample(Said) == {"text": "sample text", "title": None, "count": 0,
                                  "kind": "plain"}


REPLY = """
- uses: route.reply
  with:
    text: |-
      Hi ${{ contact.name }}

      How are you?
"""


def test_messages_that_would_be_sent_are_kept_in_order():
    found = tried(REPLY)

    assert [(sent["to"], sent["text"]) for sent in found.sends] == [
        (fixtures.ANA, "Hi Ana"), (fixtures.ANA, "How are you?")]
    assert taken(found) == [("steps[0]", "done", "recorded")]
    assert OutboxMessage.objects.count() == 0


def test_pinned_send_still_shows_what_would_be_sent():
    found = tried("- {id: reply, uses: route.reply, with: {text: hi}, on_error: continue}",
                  pins={"reply": {"status": "failed", "code": "rejected", "reason": "blocked"}})

    assert [sent["text"] for sent in found.sends] == ["hi"]
    assert taken(found) == [("reply", "failed", "pin")] and found.state == "done"


def test_other_outward_acts_are_kept_too(httpserver):
    found = tried(f"- uses: meta.notify.webhook\n  with: {{url: '{httpserver.url_for('/')}', "
                  "text: paid}")

    assert found.sends[0]["kind"] == "notify.webhook"
    assert found.sends[0]["request"]["data"]["text"] == "paid"
    assert httpserver.log == []


def test_conversation_that_is_not_stored_is_addressed_by_its_ref():
    found = tried("- {uses: route.send, with: {to: '${{ conversation.id }}', text: hi}}")

    assert [sent["to"] for sent in found.sends] == [fixtures.ANA]


def test_values_of_secret_parameters_are_masked():
    found = tried("- {uses: meta.notify.webhook, with: {url: 'https://x.example/${{ event.text "
                  "}}', text: '${{ event.text }}'}}", example={"text": "canary"})

    assert found.path[0]["input"]["url"] == "[secret]"
    assert [(one["path"], one["value"]) for one in found.expressions] == [
        ("steps[0].with.url", "[secret]"), ("steps[0].with.text", "canary")]


def test_every_value_has_its_place_and_its_turn(probe):
    found = tried("- for_each:\n    in: '[1, 2]'\n    do:\n      - {if: item > 1, uses: "
                  "custom.look, with: {say: '${{ item }}'}}")

    assert [(one["line"], one["column"], one["source"], one["turn"], one["value"])
            for one in found.expressions] == [
        (7, 12, "[1, 2]", None, [1, 2]), (9, 16, "item > 1", 0, False),
        (9, 16, "item > 1", 1, True), (9, 62, "item", 1, 2)]
    assert [(entry["iteration"], entry["status"]) for entry in found.path][1:] == [
        ("0", "skipped"), ("1", "done")]


def test_expression_that_fails_says_so_at_its_place():
    found = tried("- {set: {n: '${{ len(event.subject) }}'}}")

    assert found.state == "failed" and "len" in found.expressions[0]["error"]


def test_time_passes_at_once(probe):
    found = tried("- {wait: 24h}\n- {id: look, uses: custom.look}")

    assert [entry["at"] for entry in found.path] == [
        NOON + timedelta(hours=24), NOON + timedelta(hours=24)]
    assert taken(found)[0] == ("steps[0]", "done", "clock") and found.state == "done"


def test_run_does_not_outlive_its_timeout():
    found = tried("- {wait: 24h}", head="timeout: 1h")

    assert (found.state, found.code) == ("failed", "timeout")


WAIT = "- {id: answer, wait: {event: message.*, timeout: 1h}}"


def test_wait_for_an_event_stops_the_trial_and_says_for_what():
    found = tried(WAIT)

    assert (found.state, found.end) == ("waits", "waits for event at answer")
    assert found.waits_for[0]["event"] == ["message.*"]


@pytest.mark.parametrize(("answer", "outcome"), [
    ({"event": {"text": "yes"}}, "event"), ({"outcome": "timeout"}, "timeout")])
def test_event_of_a_wait_comes_from_the_answers(answer, outcome):
    found = tried(WAIT, answers={"answer": answer})

    assert found.state == "done" and found.outputs()["answer"]["outcome"] == outcome
    assert taken(found) == [("answer", "done", "answer")]


@pytest.mark.parametrize(("answer", "decision", "timed_out"), [
    ({"decision": "approve"}, "approve", False), ({"decision": "reject"}, "reject", False),
    ({"timed_out": True}, "reject", True)])
def test_answer_of_an_approval_comes_from_the_answers(answer, decision, timed_out):
    found = tried("- {id: ok, approval: {ask: Send, of: 'group:owners', timeout: 1h}}",
                  answers={"ok": answer})

    said = found.outputs()["ok"]
    assert (said["decision"], said["timed_out"], found.state) == (decision, timed_out, "done")


def test_approval_without_an_answer_stops_the_trial():
    found = tried("- {id: ok, approval: {ask: 'Send ${{ event.text }}?', of: 'group:owners'}}")

    assert found.state == "waits" and found.waits_for[0]["ask"] == "Send hello?"


DECIDE = ("- id: pick\n  decide: {using: agent.wish, question: q%s, options: "
          "{one: [{set: {n: 1}}], two: [{set: {n: 2}}]}}")


def test_choice_comes_from_the_pin():
    assert tried(DECIDE % "", pins={"pick": {"choice": "two"}}).output == {"n": 2}


def test_choice_that_is_none_fails_the_step():
    found = tried(DECIDE % "", pins={"pick": {"choice": "three"}})

    assert found.state == "failed" and "one, two" in found.end


def test_choice_without_a_pin_is_the_default():
    found = tried(DECIDE % ", default: one")

    assert taken(found)[0] == ("pick", "done", "default") and found.output == {"n": 1}


def test_choice_without_pin_and_default_stops_the_trial():
    found = tried(DECIDE % "")

    assert found.state == "waits" and found.waits_for[0]["options"] == ["one", "two"]


@pytest.mark.parametrize("mode", ["wait", "detach"])
def test_called_workflow_is_not_followed(mode):
    make_workflow()

    found = tried("- {id: go, call: {workflow: greeter, with: {a: '${{ event.text }}'}, "
                  f"mode: {mode}}}}}")

    assert found.state == "done" and taken(found) == [("go", "done", "sample")]
    assert found.calls[0]["inputs"] == {"a": "hello"} and found.problems == []


def test_called_workflow_that_is_not_there_is_told():
    assert tried("- {call: {workflow: nobody}}").problems == [
        "there is no workflow 'nobody' to call here"]


def test_called_workflow_can_be_made_to_fail():
    found = tried("- {id: go, call: {workflow: greeter}}",
                  pins={"go": {"status": "failed", "reason": "broken"}})

    assert found.state == "failed" and "broken" in found.end


def test_arms_are_tried_one_after_the_other(probe):
    found = tried("- parallel:\n    a: [{wait: 1h}, {set: {a: 1}}]\n    b: [{set: {b: 2}}]")

    assert found.state == "done" and found.output == {"a": 1, "b": 2}


def test_keys_of_gates_are_shown():
    found = tried("- {stop: done}", head=(
        "once: {key: contact.name, per: 1d}\ndebounce: {quiet: 5s}\nthrottle: {limit: 1, per: 1h}\n"
        "concurrency: {limit: 1, key: event.text + '!'}"))

    assert found.gates == {"once": "Ana", "debounce": staging.UNSAVED, "throttle": None,
                           "concurrency": "hello!"}


def test_trial_stops_before_the_named_step(probe):
    found = tried("- {set: {a: 1}}\n- {id: look, uses: custom.look}", until="look")

    assert found.state == "stopped" and len(found.path) == 1 and probe.calls == []


def test_trial_has_an_end_in_any_case(probe):
    found = tried("- {uses: custom.look}", seconds=0)

    assert found.state == "stopped" and "0 seconds" in found.end and probe.calls == []


@pytest.mark.parametrize(("options", "message"), [
    ({"inputs": {"limt": 1}}, "no input 'limt'; did you mean 'limit'"),
    ({"pins": {"frist": {}}}, "no step 'frist'; did you mean 'first'"),
    ({"until": "frist"}, "no step 'frist'"),
    ({"pins": {"first": 5}}, "'first' must be a mapping")])
def test_names_that_are_none_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        tried("- {id: first, stop: done}", head="inputs: {limit: {type: number}}", **options)


def test_document_with_errors_is_refused():
    with pytest.raises(InvalidWorkflow):
        tried("- {stop: dome}")


def test_inputs_stand_over_their_defaults():
    head = "inputs: {a: {type: number, default: 1}, b: {type: number, default: 2}}"

    found = tried("- {set: {sum: '${{ inputs.a + inputs.b }}'}}", head=head, inputs={"b": 5})

    assert found.output == {"sum": 6}


def test_stored_event_is_tried_with_its_rows_at_its_time():
    instance = make_instance()
    place = make_conversation(instance, tags=["new"])
    event = make_event(instance, conversation=place, conversation_ref=place.ref, text="stored",
                       received_at=NOON)

    found = trial.try_out(
        "omni: 1\nid: tried\ntrigger: [{event: message.text, where: \"'new' in "
        "conversation.tags\"}]\nsteps: [{set: {at: '${{ now }}', text: '${{ event.text }}'}}]",
        event)

    assert found.event == event.pk and found.output["text"] == "stored"
    assert found.output["at"] == NOON.isoformat()


def _writes(event, context):
    Workflow.objects.create(slug="sneaked-in", draft="")
    return done()


def test_read_that_writes_is_refused_by_the_database(probe):
    probe.answers = [_writes]

    found = tried("- {uses: custom.look, on_error: continue}\n- {uses: custom.look}")

    assert [entry["code"] for entry in found.path] == ["would_write", ""]
    assert not Workflow.objects.exists()


def test_send_that_also_writes_is_stood_in_for(probe):
    def keeps_and_sends(event, context):
        context.deliver(OutboundMessage(kind="text", to="x", text="hi"), context.effect(0))
        return _writes(event, context)

    probe.answers = [keeps_and_sends]

    found = tried("- {id: send, uses: custom.send}")

    assert taken(found) == [("send", "done", "sample")]
    assert [sent["text"] for sent in found.sends] == ["hi"]
    assert not Workflow.objects.exists()


def test_error_of_an_action_is_the_steps(probe):
    probe.answers = [Unavailable("away", code="network"), Outcome("unavailable", {}, "no key")]

    found = tried("- {uses: custom.look, on_error: continue}\n- {uses: custom.look}")

    assert [entry["status"] for entry in found.path] == ["failed", "unavailable"]


def test_database_can_be_written_after_a_trial(probe):
    tried("- {uses: custom.look}")

    assert make_instance("later").pk


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(EXAMPLES)), example=st.sampled_from(sorted(fixtures.EVENTS)),
       decision=st.sampled_from(["approve", "reject", None]), anyway=st.booleans())
def test_trial_of_any_example_writes_nothing(name, example, decision, anyway):
    before = counts()
    answers = {"ok": {"decision": decision}, "go": {"decision": decision}}
    known = "ok" if name == "vip-approval" else "go" if name == "broadcast" else ""

    found = trial.try_out(EXAMPLES[name], staging.build(example, now=NOON), anyway=anyway,
                          now=NOON, answers={known: answers[known]} if known and decision else {},
                          library=LIBRARY)

    assert counts() == before
    assert found.state in ("", *trial.STATES) and (found.state != "" or not found.matched)
    assert found.as_dict()["workflow"] == name


def test_document_with_every_key_can_be_tried():
    found = trial.try_out(EVERYTHING, staging.build(
        {"fixture": "message.text", "provider": "discord", "instance": {"slug": "one"}},
        now=NOON), now=NOON, library=LIBRARY)

    assert (found.matched, found.state) == (True, "ignored")
