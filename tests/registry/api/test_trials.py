"""Dry runs, back-tests, tests and pins over REST, and what of them a caller may see."""

from datetime import timedelta

import pytest

from registry.models import Run, Workflow
from registry.versions import bindings, drafts
from tests.api_client import client_of, post_json, put_json
from tests.factories import NOON, make_event, make_instance, make_workflow
from tests.registry.runs import work

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
claim: reply
inputs: {word: {type: text, default: Hello}}
trigger: [{event: message.text, where: event.text}]
steps:
  - {id: note, uses: custom.change, with: {say: "${{ event.text }}"}}
  - {id: reply, uses: route.reply, with: {text: "${{ inputs.word }} ${{ steps.note.output.said }}"}}
tests:
  - {event: message.text, mocks: {note: {said: Ana}}, expect: {sends: [{text: Hello Ana}]}}
"""
GREET = "/api/v1/workflows/greet/"


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def workflow(probe):
    return make_workflow(TEXT)


def an_event(instance, **fields):
    return make_event(instance, received_at=NOON, direction="inbound", conversation_ref="place",
                      **fields)


def dry_run(client=None, **body):
    return post_json(client or client_of("workflows"), f"{GREET}dry-run/", body)


def test_draft_is_tried_on_a_stored_event(workflow, shop):
    bindings.bind(workflow, scope="instance", instance=shop, inputs={"word": "Hi"}, actor="test")

    answer = dry_run(event=an_event(shop).pk, pins={"note": {"said": "Bo"}})

    assert answer.status_code == 200, answer.data
    assert (answer.data["matched"], answer.data["state"]) == (True, "done")
    assert [(sent["to"], sent["text"]) for sent in answer.data["sends"]] == [("place", "Hi Bo")]
    assert [step["source"] for step in answer.data["path"]] == ["pin", "recorded"]
    assert not Run.objects.exists()


def test_text_and_version_are_tried_instead_of_the_draft(workflow, shop):
    event = an_event(shop).pk
    drafts.save_draft(TEXT.replace("event.text}", "event.from_me}"), actor="test")

    tried = [dry_run(event=event).data, dry_run(event=event, version=1).data,
             dry_run(event=event, text=TEXT.replace("event.text}", "event.subject}")).data]

    assert [(data["matched"], data["reason"]) for data in tried] == [
        (False, "event.from_me"), (True, ""), (False, "event.subject")]


def test_fixture_is_tried_with_the_options_of_the_request(workflow):
    answer = dry_run(event={"fixture": "message.text", "text": "hi"}, inputs={"word": "Yo"},
                     answers={"note": {"said": "Rui"}}, until="reply", now="2026-03-02T12:00:00Z")

    assert (answer.data["state"], answer.data["event"]) == ("stopped", None)
    assert answer.data["path"][0]["at"] == "2026-03-02T12:00:00+00:00"


@pytest.mark.parametrize(("body", "pointer"), [
    ({}, "/event"), ({"event": "message.txt"}, None), ({"event": "message.text", "x": 1}, "/x"),
    ({"event": "message.text", "pins": {"nte": {}}}, None), ({"event": True}, None),
    ({"event": "message.text", "text": TEXT, "version": 1}, None),
    ({"event": "message.text", "text": "omni: 2"}, None)])
def test_wrong_request_is_refused(workflow, body, pointer):
    answer = dry_run(**body)

    assert answer.status_code == 400
    assert pointer is None or answer.data["errors"][0]["pointer"] == pointer


def test_events_of_foreign_instances_are_not_there(workflow, shop):
    client = client_of("workflows", instances=[make_instance("other")])

    assert dry_run(client, event=an_event(shop).pk).status_code == 404
    assert dry_run(event=987654).status_code == 404


def test_dry_run_needs_the_scope_of_workflows(workflow):
    assert dry_run(client_of("read", "send"), event="message.text").status_code == 403


def test_past_of_foreign_instances_is_not_used(workflow, shop, probe):
    bindings.bind(workflow, scope="global", actor="test")
    other = make_instance("other")
    an_event(shop, routed_at=None, text="secret of shop")
    work()
    mine = an_event(other).pk

    everyone = dry_run(event=mine).data["path"][0]
    limited = dry_run(client_of("workflows", instances=[other]), event=mine).data["path"][0]

    assert (everyone["source"], everyone["output"]) == ("past", {"said": "secret of shop"})
    assert (limited["source"], limited["output"]) == ("sample", {})


def test_backtest_counts_the_events_a_caller_may_see(workflow, shop):
    other = make_instance("other")
    for instance in (shop, shop, other):
        an_event(instance)
    span = {"since": NOON.isoformat(), "until": (NOON + timedelta(1)).isoformat()}
    limited = client_of("workflows", instances=[other])

    def counted(client=None, **more):
        return post_json(client or client_of("workflows"), f"{GREET}backtest/", {**span, **more})

    assert counted().data["matched"] == 3
    assert counted(instance="shop").data["events"] == 2
    assert counted(limited).data["events"] == 1
    assert counted(limited, instance="shop").status_code == 404
    assert counted(run=True, trials=2).data["trials"] == {"done": 2}
    assert counted(until=span["since"]).status_code == 400


def test_tests_of_the_draft_are_run(workflow):
    drafts.save_draft(TEXT.replace("Hello Ana", "Hello Bo"), actor="test")

    answer = post_json(client_of("workflows"), f"{GREET}test/")

    [result] = answer.data["results"]
    assert not answer.data["passed"] and not result["passed"]
    assert [failure["line"] for failure in result["failures"]] == [10]


def test_publishing_with_a_failing_test_is_refused_unless_it_is_skipped(workflow):
    drafts.save_draft(TEXT.replace("Hello Ana", "Hello Bo"), actor="test")
    client = client_of("workflows")

    refused = post_json(client, f"{GREET}publish/")
    skipped = post_json(client, f"{GREET}publish/", {"skip_tests": True})

    assert refused.status_code == 400
    assert (refused.data["errors"][0]["line"], refused.data["errors"][0]["code"]) == (
        10, "test_failed")
    assert skipped.status_code == 201


def test_pins_are_kept_and_used(workflow):
    client = client_of("workflows", "read")

    stored = put_json(client, f"{GREET}pins/", {"note": {"said": "Pin"}})

    assert stored.status_code == 200 and client.get(f"{GREET}pins/").data == {
        "note": {"said": "Pin"}}
    assert dry_run(event="message.text").data["sends"][0]["text"] == "Hello Pin"


def test_pins_are_not_given_to_callers_of_single_instances(workflow, shop):
    put_json(client_of("workflows"), f"{GREET}pins/", {"note": {"said": "Pin"}})
    limited = client_of("workflows", "read", instances=[shop])

    assert limited.get(f"{GREET}pins/").status_code == 403
    assert put_json(limited, f"{GREET}pins/", {}).status_code == 403
    assert dry_run(limited, event="message.text").data["path"][0]["source"] == "sample"


def test_pins_can_be_taken_from_a_run(workflow, shop):
    bindings.bind(workflow, scope="global", actor="test")
    an_event(shop, routed_at=None, text="Rui")
    work()
    run = Run.objects.get()
    make_workflow(TEXT.replace("id: greet", "id: other"))
    client = client_of("workflows")

    pinned = put_json(client, f"{GREET}pins/", {"from_run": run.pk})
    foreign = put_json(client, "/api/v1/workflows/other/pins/", {"from_run": run.pk})

    assert pinned.data["note"] == {"said": "Rui"} and foreign.status_code == 404


@pytest.mark.parametrize("pins", [{"nte": {}}, {"note": 5}, [1]])
def test_pins_that_are_none_are_refused(workflow, pins):
    answer = put_json(client_of("workflows"), f"{GREET}pins/", pins)

    assert answer.status_code == 400 and Workflow.objects.get(slug="greet").pins == {}
