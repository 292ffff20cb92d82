"""Workflows that people and programs start by hand."""

import pytest
from django.utils import timezone

from events.models import Contact, Event
from events.store import ingest
from omni.errors import InvalidInput
from registry.engine.route import routing
from registry.engine.starts import manual
from registry.models import Run
from registry.versions import bindings, drafts
from tests.api_client import client_of, post_json
from tests.factories import (
    ANA,
    make_conversation,
    make_draft,
    make_instance,
    make_unit,
    make_workflow,
    switch_on,
)

pytestmark = pytest.mark.django_db
INPUTS = """\
inputs:
  text: {type: text, required: true}
  times: {type: integer, default: 1}
"""


def flow(name="send-news", *, trigger="manual: true", inputs=INPUTS):
    return f"omni: 1\nid: {name}\n{inputs}trigger: [{{{trigger}}}]\nsteps: [{{set: {{a: 1}}}}]\n"


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def news(shop):
    return switch_on(flow(), inputs={"text": "from the binding", "times": 2})


def test_start_is_an_event_that_names_workflow_inputs_and_who(shop, news):
    event = manual.start(news, instance=shop, actor="user:ana", inputs={"text": "hi"})

    assert (event.event_type, event.direction, event.routed_at) == ("system.manual", "internal",
                                                                    None)
    assert event.content == {"workflow": "send-news", "inputs": {"text": "hi"},
                             "actor": "user:ana"}


def test_start_wakes_that_workflow_with_its_inputs_over_those_of_the_binding(shop, news):
    switch_on(flow("other"), inputs={"text": "x"})
    event = manual.start(news, instance=shop, actor="t", inputs={"text": "hi"})

    routing.route()

    run = Run.objects.get()
    assert (run.event_id, run.workflow, run.inputs) == (event.pk, news, {"text": "hi", "times": 2})


def test_same_key_starts_once(shop, news):
    events = {manual.start(news, instance=shop, actor="t", inputs={"text": "hi"}, key="k").pk
              for _ in range(2)}

    assert len(events) == Event.objects.count() == 1


def test_without_a_key_each_start_is_a_new_one(shop, news):
    for _ in range(2):
        manual.start(news, instance=shop, actor="t")

    assert Event.objects.count() == 2


def test_key_names_one_workflow(shop, news):
    other = switch_on(flow("other"), inputs={"text": "x"})

    manual.start(news, instance=shop, actor="t", key="k")
    manual.start(other, instance=shop, actor="t", key="k")

    assert Event.objects.count() == 2


@pytest.mark.parametrize("change", ["inputs", "actor", "conversation"])
def test_key_of_another_request_is_refused_and_nothing_is_stored(shop, news, change):
    manual.start(news, instance=shop, actor="t", inputs={"text": "a"}, key="k")
    asked = {"inputs": {"text": "a"}, "actor": "t"}
    asked |= {"inputs": {"inputs": {"text": "b"}}, "actor": {"actor": "u"},
              "conversation": {"conversation": make_conversation(shop)}}[change]

    with pytest.raises(InvalidInput, match="something else") as refused:
        manual.start(news, instance=shop, key="k", **asked)

    assert refused.value.code == "other_request" and Event.objects.count() == 1


@pytest.mark.parametrize(("inputs", "wrong"), [
    ({"txt": "a"}, "inputs.txt is no such input; it has: text, times; did you mean 'text'?"),
    ({"times": "often"}, "inputs.times must be a whole number"),
    ({"text": None}, "inputs.text is required; give text"),
    ({"text": "a" * 300_000}, "inputs must have at most 262144 characters of JSON"),
])
def test_wrong_inputs_are_refused_with_their_place(shop, news, inputs, wrong):
    with pytest.raises(InvalidInput) as refused:
        manual.start(news, instance=shop, actor="t", inputs=inputs)

    assert refused.value.message == wrong and not Event.objects.exists()
    assert all(path.startswith("inputs") for path in refused.value.details)


def test_what_cannot_be_started_says_the_way_out(shop):
    draft = drafts.save_draft(flow("draft"), actor="t")
    archived = make_workflow(flow("archived"))
    archived.archived_at = timezone.now()
    by_event = switch_on(flow("by-event", trigger="event: message.text", inputs=""))
    unbound = make_workflow(flow("unbound", inputs=""))
    silenced = switch_on(flow("silenced", inputs=""))
    bindings.bind(silenced, scope="instance", instance=shop, enabled=False, actor="t")
    off = make_instance("off", enabled=False)

    for workflow, instance, said in [
            (draft, shop, "'draft' has no published version; publish it first"),
            (archived, shop, "'archived' is archived"),
            (by_event, shop, "add '- manual: true' to its trigger"),
            (unbound, shop, "'unbound' is not switched on for instance 'shop'; bind it"),
            (silenced, shop, "'silenced' is not switched on for instance 'shop'"),
            (silenced, off, "instance 'off' is switched off; switch it on")]:
        with pytest.raises(InvalidInput, match=said):
            manual.start(workflow, instance=instance, actor="t")
    assert not Event.objects.exists()


def test_conversation_of_another_instance_is_refused(shop, news):
    foreign = make_conversation(make_instance("desk"))

    with pytest.raises(InvalidInput, match="is not on instance 'shop'"):
        manual.start(news, instance=shop, actor="t", conversation=foreign)


def test_start_in_a_direct_conversation_is_about_the_person_it_is_with(shop, news):
    ingest.persist([make_unit(shop, make_draft())])
    said = Event.objects.get()

    event = manual.start(news, instance=shop, actor="t", conversation=said.conversation)

    assert event.conversation_id == said.conversation_id
    assert event.contact_id == said.contact_id is not None


def test_start_for_a_contact(shop, news):
    ana = Contact.objects.create(name="Ana")
    ana.handles.create(provider="webhook", kind="phone", value="+351922000002")

    event = manual.start(news, instance=shop, actor="t", contact=ana)

    assert (event.contact, event.contact_handle) == (ana, "+351922000002")


def test_contact_that_the_provider_cannot_reach_is_refused(shop, news):
    ana = Contact.objects.create(name="Ana")
    ana.handles.create(provider="discord", kind="id", value="7")

    with pytest.raises(InvalidInput, match="has no handle at webhook"):
        manual.start(news, instance=shop, actor="t", contact=ana)


RUN = "/api/v1/workflows/send-news/run/"


def test_api_starts_and_answers_with_the_event(shop, news):
    place = make_conversation(shop, ANA)

    answer = post_json(client_of("send"), RUN, {
        "instance": "shop", "inputs": {"text": "hi"}, "conversation": place.pk})

    event = Event.objects.get()
    assert (answer.status_code, answer.data) == (202, {"event": event.pk})
    assert answer.headers["Location"] == f"/api/v1/events/{event.pk}/"
    assert (event.content["actor"], event.conversation) == ("key:test", place)


def test_api_key_that_sees_one_instance_starts_there_only(shop, news):
    desk = make_instance("desk")
    client = client_of("send", instances=[desk])
    foreign = make_conversation(shop)

    assert post_json(client, RUN, {"instance": "shop"}).status_code == 404
    assert post_json(client, RUN, {"instance": "desk", "conversation": foreign.pk}
                     ).status_code == 404
    assert post_json(client, RUN, {"instance": "desk"}).status_code == 202


def test_api_needs_the_right_to_send(shop, news):
    assert post_json(client_of("read", "workflows"), RUN, {"instance": "shop"}).status_code == 403


def test_api_idempotency_key_starts_once_and_refuses_another_body(shop, news):
    client, header = client_of("send"), {"Idempotency-Key": "news-1"}

    first = post_json(client, RUN, {"instance": "shop"}, **header)
    again = post_json(client, RUN, {"instance": "shop"}, **header)
    other = post_json(client, RUN, {"instance": "shop", "inputs": {"text": "b"}}, **header)

    assert first.status_code == again.status_code == 202 and first.data == again.data
    assert (other.status_code, other.data["code"]) == (422, "idempotency_mismatch")
    assert Event.objects.count() == 1


@pytest.mark.parametrize(("body", "pointer"), [
    ({}, "/instance"), ({"instance": "shop", "inputs": []}, "/inputs"),
    ({"instance": "shop", "inputs": {"txt": 1}}, "/inputs/txt"),
    ({"instance": "shop", "conversation": "x"}, "/conversation"),
    ({"instance": "shop", "now": True}, "/now")])
def test_api_names_every_wrong_field(shop, news, body, pointer):
    answer = post_json(client_of("send"), RUN, body)

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.data["errors"]] == [pointer]
